//! Named semaphores that a server leaves in `/dev/shm`.
//!
//! Python's `multiprocessing` makes one for each lock and queue that spawned processes
//! share, and removes it when the process that made it ends in good order. A server
//! ends by SIGKILL, also by `sky api stop`, and its semaphores would stay until the
//! machine is restarted. Their names are random: whose one is, is told by who has it
//! mapped, as long as there is somebody.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};

use super::processes::Owned;

/// Where the C library keeps them (`sem_overview(7)`).
pub(super) const FOLDER: &str = "/dev/shm";

/// How the names of `multiprocessing` begin (`SemLock._make_name`), after the C
/// library's `sem.`.
const PREFIX: &str = "sem.mp-";

/// Those in this folder that these processes have mapped.
pub(super) fn of(processes: &[Owned], folder: &Path) -> BTreeSet<PathBuf> {
    processes.iter().flat_map(|owned| mapped_by(owned.identity.pid, folder)).collect()
}

/// Removes them, once nobody uses them any more.
pub(super) fn remove(semaphores: &BTreeSet<PathBuf>) {
    for semaphore in semaphores {
        // Gone already, or somebody else's.
        _ = fs::remove_file(semaphore);
    }
}

/// By inode: whoever made a semaphore has it mapped under the name of a file that is gone,
/// which was linked to the semaphore's name when it was complete (`sem_open` of glibc).
fn mapped_by(pid: u32, folder: &Path) -> Vec<PathBuf> {
    // A process that has ended has none, and another user's is none of ours.
    let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let lines = maps.split(|&byte| byte == b'\n');
    let mapped: Vec<u64> = lines.filter_map(|line| inode_below(line, folder)).collect();
    let semaphores = fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| {
        entry.file_name().to_string_lossy().starts_with(PREFIX) && mapped.contains(&entry.ino())
    });
    semaphores.map(|entry| entry.path()).collect()
}

/// The inode of a file of this folder, in a line of `maps`: addresses, permissions, offset,
/// device, inode, path (`proc_pid_maps(5)`).
///
/// Any of the process's files may have a name that is no text.
fn inode_below(line: &[u8], folder: &Path) -> Option<u64> {
    let path_at = line.iter().position(|&byte| byte == b'/')?;
    let (figures, path) = line.split_at(path_at);
    let inode = std::str::from_utf8(figures).ok()?.split_ascii_whitespace().nth(4)?;
    (Path::new(OsStr::from_bytes(path)).parent() == Some(folder)).then(|| inode.parse().ok())?
}

#[cfg(test)]
pub(super) mod testing {
    //! A process that has a file mapped, without a line of unsafe code: as its program.

    use std::fs;
    use std::io::Read as _;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    /// Makes the file, and a process that has it mapped until its input ends: as who made
    /// it, under a name that is gone.
    pub(crate) fn mapping(path: &Path) -> Child {
        let made = path.with_extension("incomplete");
        fs::copy("/bin/sh", &made).unwrap();
        fs::hard_link(&made, path).unwrap();
        let child = opening(&made);
        fs::remove_file(made).unwrap();
        child
    }

    /// A process that has the file mapped under the name that it has.
    pub(crate) fn opening(path: &Path) -> Child {
        let mut command = Command::new(path);
        command.args(["-c", "echo; read _"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A process is started before the kernel has mapped its program.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{mapping, opening};
    use super::*;

    #[test]
    fn a_mapped_file_whose_name_is_no_text_hides_no_semaphore() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join(OsStr::from_bytes(b"no\xfftext"));
        fs::create_dir(&path).unwrap();
        let semaphore = path.join("sem.mp-a1b2");
        let mut mapping = mapping(&semaphore);
        let found = mapped_by(mapping.id(), &path);
        mapping.kill().unwrap();
        mapping.wait().unwrap();
        assert_eq!(found, [semaphore]);
    }

    #[test]
    fn a_semaphore_is_found_by_who_has_it_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let [ours, others, no_semaphore] =
            ["sem.mp-a1b2", "sem.mp-c3d4", "psm_a1b2"].map(|name| path.join(name));
        fs::write(&others, "").unwrap();
        let (mut with_one, mut with_none) = (mapping(&ours), mapping(&no_semaphore));
        let mut opener = opening(&ours);
        let found: BTreeSet<PathBuf> = mapped_by(with_one.id(), &path).into_iter().collect();
        let elsewhere = mapped_by(with_one.id(), Path::new(FOLDER));
        let none = mapped_by(with_none.id(), &path);
        let opened = mapped_by(opener.id(), &path);
        for child in [&mut with_one, &mut with_none, &mut opener] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, BTreeSet::from([ours.clone()]));
        assert!(opened.contains(&ours), "{opened:?}");
        assert_eq!((elsewhere, none), (Vec::new(), Vec::new()));
        remove(&found);
        assert!(!ours.exists() && others.exists() && no_semaphore.exists());
    }
}
