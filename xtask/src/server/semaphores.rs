//! Named semaphores that a server leaves in `/dev/shm`.
//!
//! Python's `multiprocessing` creates one for each lock and queue that spawned processes share,
//! and removes it when its creator exits cleanly. A server ends by SIGKILL, also with
//! `sky api stop`, so its semaphores would stay until the machine is rebooted. Their names are
//! random: a semaphore is attributed to a server by the processes that map it, while they run. A
//! server that is killed, as by the kernel for lack of memory, maps none afterwards, so new
//! semaphores are looked for beside the load, every 5 s; those made after the last look stay.

use std::collections::{BTreeMap, BTreeSet};
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
    mapped_by(processes.iter().map(|owned| owned.identity.pid), folder)
}

/// Semaphores in this directory, of all programs.
pub(super) fn all(folder: &Path) -> BTreeSet<PathBuf> {
    by_inode(folder).into_values().collect()
}

/// Removes those of the semaphores that no process maps. Called when the server's processes are
/// gone: what is mapped then is another program's.
pub(super) fn remove(semaphores: &BTreeSet<PathBuf>, folder: &Path) {
    if semaphores.is_empty() {
        return;
    }
    let mapped = mapped_by(pids(), folder);
    for semaphore in semaphores.difference(&mapped) {
        // May be gone already, or belong to another user.
        _ = fs::remove_file(semaphore);
    }
}

/// Semaphores that any of these processes maps, found by inode. The process that created a
/// semaphore maps it under a temporary name, which glibc's `sem_open` links to the final name and
/// then removes.
fn mapped_by(pids: impl Iterator<Item = u32>, folder: &Path) -> BTreeSet<PathBuf> {
    let semaphores = by_inode(folder);
    let mut mapped = BTreeSet::new();
    for pid in pids {
        // Unreadable if the process has exited or is another user's: then there is nothing to find.
        let maps = fs::read(format!("/proc/{pid}/maps")).unwrap_or_default();
        let inodes = maps.split(|&byte| byte == b'\n').filter_map(|it| inode_below(it, folder));
        mapped.extend(inodes.filter_map(|inode| semaphores.get(&inode)).cloned());
    }
    mapped
}

/// Semaphores in this directory by their inodes.
fn by_inode(folder: &Path) -> BTreeMap<u64, PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let semaphores =
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    semaphores.map(|entry| (entry.ino(), entry.path())).collect()
}

/// Processes of this machine.
fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
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
    use std::process::Child;

    use super::testing::{mapping, opening};
    use super::*;

    #[test]
    fn a_path_that_is_not_utf8_hides_no_semaphore() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join(OsStr::from_bytes(b"no\xfftext"));
        fs::create_dir(&path).unwrap();
        let semaphore = path.join("sem.mp-a1b2");
        let mut mapping = mapping(&semaphore);
        let found = mapped_by([mapping.id()].into_iter(), &path);
        mapping.kill().unwrap();
        mapping.wait().unwrap();
        assert_eq!(found, BTreeSet::from([semaphore]));
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
        let mapped = |child: &Child, folder: &Path| mapped_by([child.id()].into_iter(), folder);
        let found = mapped(&with_one, &path);
        let in_dev_shm = mapped(&with_one, Path::new(FOLDER));
        let none = mapped(&with_none, &path);
        let opened = mapped(&opener, &path);
        remove(&found, &path);
        assert!(ours.exists(), "its processes still run");
        for child in [&mut with_one, &mut with_none, &mut opener] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, BTreeSet::from([ours.clone()]));
        assert!(opened.contains(&ours), "{opened:?}");
        assert_eq!((in_dev_shm, none), (BTreeSet::new(), BTreeSet::new()));
        remove(&found, &path);
        assert!(!ours.exists() && others.exists() && no_semaphore.exists());
    }
}
