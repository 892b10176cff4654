//! Tools that skyload needs, found on `PATH` or installed.
//!
//! A tool on `PATH` that is new enough is used as it is. Missing tools are installed below the
//! state directory, each in its own folder: deleting the state directory removes them all.
//!
//! * [`python`] and [`uv`] create the environment of the SkyPilot under test;
//! * [`git`] reads commits and checkouts;
//! * [`debian`] unpacks the distribution's packages;
//! * [`run`], [`hint`], [`version`] and [`lock`] are shared by these.

pub mod debian;
pub mod git;
pub mod hint;
pub mod lock;
pub mod python;
pub mod run;
pub mod uv;
pub mod version;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::Shell;

/// Shell whose working directory is the state directory, created if missing.
///
/// Tools look for settings in the working directory and above. Started from the state
/// directory, they ignore the settings of the project in the user's working directory.
pub fn shell_in(state_dir: &Path) -> Result<Shell> {
    let shell = Shell::new().context("reading the current directory")?;
    fs::create_dir_all(state_dir)
        .with_context(|| format!("creating the state directory {}", state_dir.display()))?;
    shell.change_dir(state_dir);
    Ok(shell)
}

/// Path of the program `name`, the first one on the shell's PATH.
pub fn on_path(shell: &Shell, name: &str) -> Option<PathBuf> {
    let path = shell.var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// Whether `path` is an executable file.
pub fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Removes a folder with its contents; does nothing if there is none.
pub fn remove_folder(folder: &Path) -> Result<()> {
    let removed = match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_folders(folder).and_then(|()| fs::remove_dir_all(folder))
        }
        other => other,
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Lets the owner list and change a folder and all those in it: the kernel makes folders without
/// any permission for an overlay.
fn open_folders(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_folder_without_permissions_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("folder");
        fs::create_dir_all(folder.join("work/work")).unwrap();
        for path in [folder.join("work/work"), folder.join("work")] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
        }
        remove_folder(&folder).unwrap();
        assert!(!folder.exists());
        remove_folder(&folder).unwrap();
    }
}
