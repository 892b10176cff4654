//! What node processes leave in folders that belong to everybody.
//!
//! SkyPilot and uv write below `/tmp` on a node whatever the environment says
//! (`/tmp/sky_app_*`, `/tmp/*_ha_recovery.log`, `/tmp/uv-*.lock`), and a node's `/tmp` is
//! the machine's. Where a user of their own owns the node processes, their files are
//! told by that. Any other user's files on nodes are like that user's own: they stay.

use std::fs::{self, DirEntry};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::account::Account;

/// Where every user may write.
pub(super) const SHARED_FOLDERS: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// Whether a user owns anything in these folders. Who does is no user of nodes to come.
pub(super) fn has_any<P: AsRef<Path>>(uid: u32, folders: &[P]) -> bool {
    owned(uid, folders).next().is_some()
}

/// Removes what the nodes' user owns in these folders, once it has no process.
pub(super) fn remove<P: AsRef<Path>>(account: Account, folders: &[P]) {
    if !account.is_nodes_only {
        return;
    }
    for entry in owned(account.uid, folders) {
        // What cannot be removed does no harm.
        _ = match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
    }
}

/// What a user owns there. Of a link it is the link itself: it is not followed.
fn owned<P: AsRef<Path>>(uid: u32, folders: &[P]) -> impl Iterator<Item = DirEntry> {
    let entries = folders.iter().flat_map(fs::read_dir).flatten().flatten();
    entries.filter(move |entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == uid))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with a file, a folder and a link to a file elsewhere, of this user.
    fn shared(elsewhere: &Path) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("uv-1.lock"), "").unwrap();
        fs::create_dir_all(folder.path().join("sky_app_1/x")).unwrap();
        symlink(elsewhere, folder.path().join("link")).unwrap();
        folder
    }

    fn account(uid: u32, is_nodes_only: bool) -> Account {
        Account { uid, gid: uid, is_nodes_only }
    }

    #[test]
    fn what_the_nodes_own_user_left_is_removed() {
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        let folder = shared(elsewhere.path());
        let me = nix::unistd::geteuid().as_raw();
        remove(account(me, true), &[folder.path()]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(elsewhere.path().exists());
    }

    #[test]
    fn files_of_others_and_of_a_user_with_other_work_stay() {
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        let folder = shared(elsewhere.path());
        let me = nix::unistd::geteuid().as_raw();
        remove(account(me, false), &[folder.path()]);
        remove(account(me + 1, true), &[folder.path()]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert!(has_any(me, &[folder.path()]) && !has_any(me + 1, &[folder.path()]));
    }
}
