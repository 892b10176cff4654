//! Launcher of a program from unpacked packages, which finds the libraries unpacked with it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use host::tools::is_program;

/// Writes a script that starts `program`, from the packages in the folder `unpacked`, with the
/// libraries of these packages, which the dynamic linker does not find by itself. Other libraries
/// are installed on the system.
pub(super) fn write(unpacked: &Path, program: &Path, launcher: &Path) -> Result<()> {
    ensure!(is_program(program), "no program `{}`", program.display());
    let libraries: Vec<String> =
        library_folders(unpacked)?.into_iter().map(|folder| folder.display().to_string()).collect();
    let script = format!(
        "#!/bin/sh\nexport LD_LIBRARY_PATH='{}'\nexec '{}' \"$@\"\n",
        libraries.join(":"),
        program.display()
    );
    fs::write(launcher, script)
        .and_then(|()| fs::set_permissions(launcher, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("writing `{}`", launcher.display()))
}

/// Directories of unpacked libraries: one for each architecture, and PulseAudio's below it. Empty
/// if no package has a library.
fn library_folders(unpacked: &Path) -> Result<Vec<PathBuf>> {
    let libraries = unpacked.join("usr/lib");
    if !libraries.exists() {
        return Ok(Vec::new());
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(libraries).context("listing unpacked libraries")? {
        let path = entry.context("listing unpacked libraries")?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.contains("-linux-gnu") && path.is_dir() {
            let of_pulseaudio = path.join("pulseaudio");
            folders.push(path);
            folders.extend(Some(of_pulseaudio).filter(|folder| folder.is_dir()));
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use xshell::cmd;

    use super::*;
    use crate::testing::{script, shell};

    #[rstest]
    #[case::beside_an_installed_gtk(&["riscv64-linux-gnu"], &["riscv64-linux-gnu"])]
    #[case::with_pulseaudio(
        &["x86_64-linux-gnux32", "x86_64-linux-gnu/pulseaudio", "systemd"],
        &["x86_64-linux-gnu", "x86_64-linux-gnu/pulseaudio", "x86_64-linux-gnux32"],
    )]
    #[case::with_all_libraries_installed(&["systemd"], &[])]
    fn libraries_are_found_by_their_architecture(#[case] there: &[&str], #[case] found: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        let libraries = folder.path().join("usr/lib");
        for name in there {
            fs::create_dir_all(libraries.join(name)).unwrap();
        }
        let program = libraries.join("chromium/chromium");
        script(&program, "echo $LD_LIBRARY_PATH $1");
        let launcher = folder.path().join("skyload-chromium");
        write(folder.path(), &program, &launcher).unwrap();
        let shell = shell(folder.path());
        let launched = cmd!(shell, "{launcher} --headless").read().unwrap();
        let found: Vec<String> =
            found.iter().map(|name| libraries.join(name).display().to_string()).collect();
        assert_eq!(launched.trim(), format!("{} --headless", found.join(":")).trim());
    }

    #[test]
    fn packages_without_a_library_need_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("usr/bin/wrk");
        script(&program, "");
        write(folder.path(), &program, &folder.path().join("skyload-wrk")).unwrap();
    }
}
