//! Files of the API server in an infra's folder: patches of SkyPilot, and programs that the
//! machine lacks. Nodes must not read or change them.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::tools::on_path;
use xshell::Shell;

use crate::site::{SERVER_PATCHES, SERVER_PATCHES_FILE};

/// Programs that the API server starts to reach nodes.
pub(crate) const NODE_CLIENTS: [&str; 4] = ["ssh", "scp", "ssh-keygen", "rsync"];

/// Folder `client` of an infra.
#[derive(Clone, Debug)]
pub(crate) struct ClientFiles {
    folder: PathBuf,
}

impl ClientFiles {
    /// Files in the folder of the infra `infra`.
    pub(crate) fn of(infra: &Path) -> Self {
        Self { folder: infra.join("client") }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Folder for the API server's PATH.
    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// Folder for the API server's PYTHONPATH.
    pub(crate) fn site(&self) -> PathBuf {
        self.folder.join("site")
    }

    /// Creates the folders, with the patches.
    pub(crate) fn create(&self) -> Result<()> {
        for folder in [&self.folder, &self.programs(), &self.site()] {
            make_folder(folder, 0o700)
                .with_context(|| format!("creating `{}`", folder.display()))?;
        }
        write(&self.site().join(SERVER_PATCHES_FILE), SERVER_PATCHES)
    }

    /// Adds a script as the program `name`.
    pub(crate) fn add_program(&self, name: &str, script: &str) -> Result<()> {
        let path = self.programs().join(name);
        write(&path, script)?;
        fs::set_permissions(&path, Permissions::from_mode(0o700))
            .with_context(|| format!("making `{}` executable", path.display()))
    }

    /// Adds the unpacked `program`, which needs `libraries`, a value of `LD_LIBRARY_PATH`.
    pub(crate) fn add_unpacked(&self, name: &str, program: &Path, libraries: &str) -> Result<()> {
        let program = program.display();
        let script = format!("#!/bin/sh\nLD_LIBRARY_PATH='{libraries}' exec '{program}' \"$@\"\n");
        self.add_program(name, &script)
    }
}

/// Names of the `programs` that are not on PATH.
pub(crate) fn missing(programs: &[&'static str]) -> Result<Vec<&'static str>> {
    let shell = Shell::new().context("reading the current directory")?;
    Ok(programs.iter().copied().filter(|name| on_path(&shell, name).is_none()).collect())
}

/// Creates a folder with the mode `mode`, regardless of the umask.
pub(crate) fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    // Restrictive first, so that the folder never has more permissions than `mode`.
    DirBuilder::new().mode(0o700).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn an_unpacked_program_runs_with_its_libraries() {
        let folder = tempfile::tempdir().unwrap();
        let client = ClientFiles::of(folder.path());
        client.create().unwrap();
        client.add_unpacked("tell", Path::new("/usr/bin/env"), "/some/libraries").unwrap();
        let output = Command::new(client.programs().join("tell")).env_clear().output().unwrap();
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("LD_LIBRARY_PATH=/some/libraries")
        );
        let mode = client.folder().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
