//! What node processes leave in folders that belong to everybody.
//!
//! SkyPilot and uv write below `/tmp` on a node whatever the environment says
//! (`/tmp/sky_app_*`, `/tmp/*_ha_recovery.log`, `/tmp/uv-*.lock`), and a node's `/tmp` is
//! the machine's. Where a user of their own owns the node processes, their files are
//! told by that. Any other user's files on nodes are like that user's own: they stay.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::account::Account;

/// Where every user may write.
pub(super) const SHARED_FOLDERS: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// Removes what the nodes' user owns in these folders, once it has no process.
pub(super) fn remove<P: AsRef<Path>>(account: Account, folders: &[P]) {
    if !account.is_nodes_only {
        return;
    }
    for entry in folders.iter().flat_map(fs::read_dir).flatten().flatten() {
        // Of the entry itself: what a link leads to is not followed.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.uid() != account.uid {
            continue;
        }
        // What cannot be removed does no harm.
        _ = match metadata.is_dir() {
            true => fs::remove_dir_all(entry.path()),
            false => fs::remove_file(entry.path()),
        };
    }
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
    }
}
