//! Files that node processes leave in folders shared by all users.
//!
//! On a node, SkyPilot and uv write to `/tmp` regardless of the environment
//! (`/tmp/sky_app_*`, `/tmp/*_ha_recovery.log`, `/tmp/uv-*.lock`), and a node's `/tmp` is the
//! machine's. If node processes have a user id of their own, its files are removed. Otherwise
//! the files cannot be distinguished from the user's, and stay.

use std::fs::{self, DirEntry};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::account::{Account, has_process};

/// Folders that all users can write to.
pub(crate) const SHARED_FOLDERS: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// Whether the user `uid` owns any file in these folders.
pub(crate) fn has_any<P: AsRef<Path>>(uid: u32, folders: &[P]) -> bool {
    owned(uid, folders).next().is_some()
}

/// Removes the files of the nodes' user in [`SHARED_FOLDERS`], unless the user has a process: it
/// may belong to the infra of another state directory, and use these files.
pub(crate) fn remove_unused(account: Account) {
    if !has_process(account.uid) {
        remove(account, &SHARED_FOLDERS);
    }
}

/// Removes the files of the nodes' user in these folders. The caller makes sure that the user has
/// no process.
fn remove<P: AsRef<Path>>(account: Account, folders: &[P]) {
    if !account.is_nodes_only {
        return;
    }
    for entry in owned(account.uid, folders) {
        // Errors are ignored: a file that remains does no harm.
        _ = match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
    }
}

/// Files and folders of a user in these folders. Symbolic links are not followed.
fn owned<P: AsRef<Path>>(uid: u32, folders: &[P]) -> impl Iterator<Item = DirEntry> {
    // `DirEntry::metadata` does not follow links.
    let entries = folders.iter().flat_map(fs::read_dir).flatten().flatten();
    entries.filter(move |entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == uid))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Folder with a file, a folder and a link to the file `target` outside, of this user.
    fn shared(target: &Path) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("uv-1.lock"), "").unwrap();
        fs::create_dir_all(folder.path().join("sky_app_1/x")).unwrap();
        symlink(target, folder.path().join("link")).unwrap();
        folder
    }

    fn account(uid: u32, is_nodes_only: bool) -> Account {
        Account { uid, gid: uid, is_nodes_only }
    }

    #[test]
    fn files_of_the_nodes_user_are_removed() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let folder = shared(target.path());
        let me = nix::unistd::geteuid().as_raw();
        remove(account(me, true), &[folder.path()]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(target.path().exists());
    }

    #[test]
    fn files_of_a_user_with_other_processes_stay() {
        let target = tempfile::NamedTempFile::new().unwrap();
        let folder = shared(target.path());
        let me = nix::unistd::geteuid().as_raw();
        remove(account(me, false), &[folder.path()]);
        remove(account(me + 1, true), &[folder.path()]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert!(has_any(me, &[folder.path()]) && !has_any(me + 1, &[folder.path()]));
    }
}
