//! Control groups of a server under test: one that holds all of its processes to the memory and
//! CPUs of a stated size, and counts what they use.
//!
//! In version 2, a group is made below the one of this process, or below the nearest group above
//! in which groups with limits can be made; no group that has a limit itself is left. In version
//! 1, it is made below this process's own group in the hierarchies of memory, CPU and pids.
//! Without swap inside, since no peak has memory in swap.

mod create;
mod figures;
mod oom;
mod place;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use create::NotGranted;
pub use figures::GroupFigures;
pub use oom::{OomCounts, OomKills, OomReadings};
pub use place::Place;

use crate::poll;

/// Control groups that hold the processes of a server, one folder in each hierarchy that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerGroup {
    place: Place,
    cpus: CpuLimit,
}

/// Limit of a server's control group on CPU time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CpuLimit {
    /// Limit of this number of CPUs.
    Cpus(u32),
    /// No limit, for this reason.
    None(String),
}

/// Shell script that enters the groups whose `cgroup.procs` are named before `--`, and becomes the
/// program that is named after it.
const ENTER: &str =
    r#"while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@""#;

/// Time that the kernel may take to remove the last process of a group.
const REMOVAL_TIMEOUT: Duration = Duration::from_secs(5);

impl ServerGroup {
    /// Limit on CPU time.
    pub fn cpus(&self) -> &CpuLimit {
        &self.cpus
    }

    /// Folders of the groups.
    pub fn folders(&self) -> Vec<PathBuf> {
        self.place.folders()
    }

    /// Folder of the group that limits memory.
    pub fn memory_folder(&self) -> &Path {
        &self.place.memory.folder
    }

    /// Whether kills in the group are also counted in the group of this process.
    pub fn counts_into_own(&self) -> bool {
        self.place.is_inside_own
    }

    /// Command that enters the groups and then becomes `program`, with its pid.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        entering(&self.folders(), program)
    }
}

fn entering(folders: &[PathBuf], program: impl AsRef<OsStr>) -> Command {
    // Absolute: the program may get another PATH.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", ENTER, "sh"]);
    command.args(folders.iter().map(|folder| folder.join("cgroup.procs")));
    command.arg("--").arg(program);
    command
}

/// Pids of the processes in control groups; none in a group that does not exist.
pub fn pids_in(folders: &[PathBuf]) -> Vec<u32> {
    let texts =
        folders.iter().filter_map(|folder| fs::read_to_string(folder.join("cgroup.procs")).ok());
    let mut pids: Vec<u32> =
        texts.flat_map(|text| text.lines().flat_map(str::parse).collect::<Vec<_>>()).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Whether a folder exists, or may: any other error than its absence is no absence.
fn exists(folder: &Path) -> bool {
    !matches!(folder.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// Removes control groups whose processes have exited, or are about to. A group that does not
/// exist counts as removed.
///
/// # Errors
///
/// If a group still has a process after some seconds, or cannot be removed.
pub fn remove(folders: &[PathBuf]) -> io::Result<()> {
    folders.iter().try_for_each(|folder| {
        let mut last = None;
        let removed = poll::during(REMOVAL_TIMEOUT, Duration::from_millis(20), || {
            match fs::remove_dir(folder) {
                Ok(()) => return Ok(Some(())),
                // Of a read-only file system, the kernel says so before it looks for the folder.
                Err(_) if !exists(folder) => return Ok(Some(())),
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => last = Some(error),
                Err(error) => return Err(error),
            }
            Ok(None)
        })?;
        match (removed, last) {
            (None, Some(busy)) => Err(busy),
            _ => Ok(()),
        }
    })
}
