//! Programs that an API server starts to reach nodes, where this machine lacks them: wrappers of
//! unpacked ones, in a folder for the server's PATH.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::tools::on_path;
use xshell::Shell;

/// Programs that an API server starts to reach nodes.
const PROGRAMS: [&str; 4] = ["ssh", "scp", "ssh-keygen", "rsync"];

/// Unpacked programs and their libraries.
#[derive(Clone, Debug)]
pub(crate) struct Unpacked {
    /// Folders with programs, in search order.
    pub(crate) programs: Vec<PathBuf>,
    /// Folders with libraries, in search order.
    pub(crate) libraries: Vec<PathBuf>,
}

impl Unpacked {
    /// Programs and libraries in a folder that Debian packages were unpacked into.
    #[cfg_attr(not(test), expect(dead_code, reason = "wired up with the nodes of emulated AWS"))]
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let libraries = folder.join("usr/lib");
        let entries = fs::read_dir(&libraries).into_iter().flatten().flatten();
        // Debian's name of the machine's architecture, such as `x86_64-linux-gnu`.
        let is_of_architecture =
            |path: &PathBuf| path.to_string_lossy().ends_with("-linux-gnu") && path.is_dir();
        let found = entries.map(|entry| entry.path()).filter(is_of_architecture);
        let programs = ["usr/bin", "usr/sbin"].map(|part| folder.join(part)).to_vec();
        Self { programs, libraries: found.chain([libraries.clone()]).collect() }
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        self.programs.iter().map(|folder| folder.join(name)).find(|file| file.exists())
    }
}

/// Whether this machine lacks any of the programs.
pub(crate) fn are_missing() -> Result<bool> {
    Ok(!missing()?.is_empty())
}

/// Writes a wrapper into `folder` for each program that this machine lacks. Does nothing if it
/// lacks none.
pub(crate) fn write(folder: &Path, unpacked: &Unpacked) -> Result<()> {
    for name in missing()? {
        let program = unpacked.find(name).with_context(|| {
            format!("finding `{name}` in the unpacked packages\n  hint: install `{name}`")
        })?;
        fs::create_dir_all(folder).with_context(|| format!("creating `{}`", folder.display()))?;
        let wrapper = folder.join(name);
        fs::write(&wrapper, text(&program, &unpacked.libraries))
            .and_then(|()| fs::set_permissions(&wrapper, Permissions::from_mode(0o755)))
            .with_context(|| format!("writing `{}`", wrapper.display()))?;
    }
    Ok(())
}

fn missing() -> Result<Vec<&'static str>> {
    let shell = Shell::new().context("reading the current directory")?;
    Ok(PROGRAMS.into_iter().filter(|name| on_path(&shell, name).is_none()).collect())
}

/// Script that runs an unpacked program with its libraries.
fn text(program: &Path, libraries: &[PathBuf]) -> String {
    let libraries: Vec<String> =
        libraries.iter().map(|folder| folder.display().to_string()).collect();
    let (libraries, program) = (libraries.join(":"), program.display());
    format!("#!/bin/sh\nLD_LIBRARY_PATH='{libraries}' exec '{program}' \"$@\"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::script;

    #[test]
    fn a_wrapper_runs_the_unpacked_program_with_the_libraries_of_its_architecture() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("packages");
        for name in PROGRAMS {
            script(&root.join("usr/bin").join(name), "echo \"$LD_LIBRARY_PATH $*\"");
        }
        let library = root.join("usr/lib/riscv64-linux-gnu");
        fs::create_dir_all(&library).unwrap();
        let unpacked = Unpacked::in_folder(&root);
        let wrapper = folder.path().join("wrapper");
        let program = unpacked.find("rsync").unwrap();
        script(&wrapper, text(&program, &unpacked.libraries).trim_start_matches("#!/bin/sh\n"));
        let output = std::process::Command::new(&wrapper).args(["-a", "b"]).output().unwrap();
        let expected = format!("{}:{} -a b\n", library.display(), root.join("usr/lib").display());
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
}
