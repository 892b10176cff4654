//! The programs that skyload needs beside itself, found or installed.
//!
//! What is found on `PATH` and new enough is used as it is. What is missing goes
//! under the state directory, each tool into a folder of its own, so that
//! deleting the state directory undoes all of it.
//!
//! * [`python`] and [`uv`] make the environment of the SkyPilot under test;
//! * [`debian`] unpacks the distribution's packages;
//! * [`run`], [`cure`], [`version`] and [`lock`] are what they share.

pub mod cure;
pub mod debian;
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

/// A shell that stands in the state directory, created if need be.
///
/// Tools look for settings in the working directory and above it: started from
/// here, they don't see those of whatever project the user happens to stand in.
pub fn shell_in(state_dir: &Path) -> Result<Shell> {
    let shell = Shell::new().context("reading the current directory")?;
    fs::create_dir_all(state_dir)
        .with_context(|| format!("creating the state directory {}", state_dir.display()))?;
    shell.change_dir(state_dir);
    Ok(shell)
}

/// The program called `name` that a shell would run.
pub fn on_path(shell: &Shell, name: &str) -> Option<PathBuf> {
    let path = shell.var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

/// Whether `path` is a file that may be executed.
pub fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Removes a folder that may not be there.
pub fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}
