//! Named semaphores that a server leaves in `/dev/shm`.
//!
//! Python's `multiprocessing` makes one for each lock and queue that spawned processes
//! share, and removes it when the process that made it ends in good order. A server
//! ends by SIGKILL, also by `sky api stop`, and its semaphores would stay until the
//! machine is restarted. Their names are random: whose one is, is told by who has it
//! mapped, as long as there is somebody.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::processes::Owned;

/// Where the C library keeps them (`sem_overview(7)`).
const FOLDER: &str = "/dev/shm";

/// How the names of `multiprocessing` begin (`SemLock._make_name`), after the C
/// library's `sem.`.
const PREFIX: &str = "sem.mp-";

/// Those that these processes have mapped.
pub(super) fn of(processes: &[Owned]) -> BTreeSet<PathBuf> {
    processes.iter().flat_map(|owned| mapped_by(owned.identity.pid, Path::new(FOLDER))).collect()
}

/// Removes them, once nobody uses them any more.
pub(super) fn remove(semaphores: &BTreeSet<PathBuf>) {
    for semaphore in semaphores {
        // Gone already, or somebody else's.
        _ = fs::remove_file(semaphore);
    }
}

fn mapped_by(pid: u32, folder: &Path) -> Vec<PathBuf> {
    // A process that has ended has none, and another user's is none of ours.
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    // What was removed is marked ` (deleted)`: no name of a semaphore ends so.
    let paths = maps.lines().filter_map(|line| line.find('/').map(|begin| &line[begin..]));
    let is_one = |path: &&Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.parent() == Some(folder) && name.starts_with(PREFIX) && !name.contains(' ')
    };
    paths.map(Path::new).filter(is_one).map(Path::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    /// A process that has this file mapped: as its program.
    fn with_mapped(path: &Path) -> Child {
        fs::copy("/bin/sleep", path).unwrap();
        Command::new(path).arg("60").spawn().unwrap()
    }

    fn end(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_semaphore_is_found_by_who_has_it_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, others) = (folder.path().join("sem.mp-a1b2"), folder.path().join("sem.mp-c3d4"));
        fs::write(&others, "").unwrap();
        let child = with_mapped(&ours);
        let found: BTreeSet<PathBuf> = mapped_by(child.id(), folder.path()).into_iter().collect();
        let elsewhere = mapped_by(child.id(), Path::new(FOLDER));
        end(child);
        assert_eq!((found.len(), found.first(), elsewhere), (1, Some(&ours), Vec::new()));
        remove(&found);
        assert!(!ours.exists() && others.exists());
    }

    #[test]
    fn other_files_in_memory_are_no_semaphores() {
        let folder = tempfile::tempdir().unwrap();
        let child = with_mapped(&folder.path().join("psm_a1b2"));
        let found = mapped_by(child.id(), folder.path());
        end(child);
        assert!(found.is_empty(), "{found:?}");
    }
}
