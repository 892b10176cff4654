//! Named semaphores that a server leaves in `/dev/shm`.
//!
//! Python's `multiprocessing` creates one for each lock and queue that spawned processes share,
//! and removes it when its creator exits cleanly. A server ends by SIGKILL, also with
//! `sky api stop`, so its semaphores would stay until the machine is rebooted. Their names are
//! random: a semaphore is attributed to a server by the processes that map it, while they run.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};

use super::processes::Owned;

/// Directory in which the C library keeps semaphores (`sem_overview(7)`).
pub(super) const FOLDER: &str = "/dev/shm";

/// Prefix of file names: the C library's `sem.`, then that of `multiprocessing`
/// (`SemLock._make_name`).
const PREFIX: &str = "sem.mp-";

/// Semaphores in this directory that these processes map.
pub(super) fn of(processes: &[Owned], folder: &Path) -> BTreeSet<PathBuf> {
    processes.iter().flat_map(|owned| mapped_by(owned.identity.pid, folder)).collect()
}

/// Removes semaphores. Called when the processes that map them are gone.
pub(super) fn remove(semaphores: &BTreeSet<PathBuf>) {
    for semaphore in semaphores {
        // May be gone already, or belong to another user.
        _ = fs::remove_file(semaphore);
    }
}

/// Semaphores that a process maps, found by inode. The process that created a semaphore maps it
/// under a temporary name, which glibc's `sem_open` links to the final name and then removes.
fn mapped_by(pid: u32, folder: &Path) -> Vec<PathBuf> {
    // Unreadable if the process has exited or is another user's: then there is nothing to find.
    let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
    let lines = maps.split(|&byte| byte == b'\n');
    let mapped: Vec<u64> = lines.filter_map(|line| inode_below(line, folder)).collect();
    let semaphores = fs::read_dir(folder).into_iter().flatten().flatten().filter(|entry| {
        entry.file_name().to_string_lossy().starts_with(PREFIX) && mapped.contains(&entry.ino())
    });
    semaphores.map(|entry| entry.path()).collect()
}

/// Inode of a file in this directory, from a line of `/proc/PID/maps`: addresses, permissions,
/// offset, device, inode, path (`proc_pid_maps(5)`).
///
/// Works on bytes, since a mapped file's name need not be UTF-8.
fn inode_below(line: &[u8], folder: &Path) -> Option<u64> {
    let path_at = line.iter().position(|&byte| byte == b'/')?;
    let (figures, path) = line.split_at(path_at);
    let inode = std::str::from_utf8(figures).ok()?.split_ascii_whitespace().nth(4)?;
    (Path::new(OsStr::from_bytes(path)).parent() == Some(folder)).then(|| inode.parse().ok())?
}

#[cfg(test)]
pub(super) mod testing {
    //! Processes that map a file without unsafe code: the file is their program.

    use std::fs;
    use std::io::Read as _;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    /// Process that maps a new file at `path` until its standard input is closed. Maps the file
    /// under a removed name, like the creator of a semaphore.
    pub(crate) fn mapping(path: &Path) -> Child {
        let temporary = path.with_extension("incomplete");
        fs::copy("/bin/sh", &temporary).unwrap();
        fs::hard_link(&temporary, path).unwrap();
        let child = opening(&temporary);
        fs::remove_file(temporary).unwrap();
        child
    }

    /// Process that maps an existing file under its present name.
    pub(crate) fn opening(path: &Path) -> Child {
        let mut command = Command::new(path);
        command.args(["-c", "echo; read _"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The shell's first output shows that the kernel has mapped it.
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        child
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{mapping, opening};
    use super::*;

    #[test]
    fn a_path_that_is_not_utf8_hides_no_semaphore() {
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
    fn a_semaphore_is_found_by_the_processes_that_map_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let [ours, others, no_semaphore] =
            ["sem.mp-a1b2", "sem.mp-c3d4", "psm_a1b2"].map(|name| path.join(name));
        fs::write(&others, "").unwrap();
        let (mut with_one, mut with_none) = (mapping(&ours), mapping(&no_semaphore));
        let mut opener = opening(&ours);
        let found: BTreeSet<PathBuf> = mapped_by(with_one.id(), &path).into_iter().collect();
        let in_dev_shm = mapped_by(with_one.id(), Path::new(FOLDER));
        let none = mapped_by(with_none.id(), &path);
        let opened = mapped_by(opener.id(), &path);
        for child in [&mut with_one, &mut with_none, &mut opener] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, BTreeSet::from([ours.clone()]));
        assert!(opened.contains(&ours), "{opened:?}");
        assert_eq!((in_dev_shm, none), (Vec::new(), Vec::new()));
        remove(&found);
        assert!(!ours.exists() && others.exists() && no_semaphore.exists());
    }
}
