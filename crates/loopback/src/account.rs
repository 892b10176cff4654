//! User that node processes run as.
//!
//! SkyPilot logs in to a node as a user with a home. This user exists only in skyload's copies
//! of `/etc/passwd` and `/etc/group`, which nss_wrapper shows to node processes: no user is
//! added to the machine. If root runs skyload, node processes get an unused user id; otherwise
//! they keep the id of the user that runs skyload, but have the name and home of the nodes'
//! user.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::unistd::{Uid, User, getegid, geteuid};
use serde::{Deserialize, Serialize};

/// User name that SkyPilot logs in with.
pub(crate) const USER: &str = "skyload";

/// User and group id of `ubuntu`, the user of nodes of emulated AWS, who exists in nodes alone.
pub(crate) const UBUNTU: u32 = 59_040;

/// First user id that is tried.
const FIRST: u32 = 59_046;

/// User and group id of node processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether all processes of this user are node processes.
    pub(crate) is_nodes_only: bool,
}

impl Account {
    /// Ids of this process, which other processes have, too.
    pub(crate) fn own() -> Self {
        Self { uid: geteuid().as_raw(), gid: getegid().as_raw(), is_nodes_only: false }
    }

    /// Unused user id for root, else the user's own ids. A user id is unused if it has no
    /// account, no process, and no files by `owns_files`.
    pub(crate) fn choose(owns_files: impl Fn(u32) -> bool) -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self::own());
        }
        let known = [read("/etc/passwd")?, read("/etc/group")?].concat();
        let is_free = |uid: &u32| {
            // The files have group ids too; the lookup covers other sources such as LDAP.
            !has_id(&known, *uid)
                && matches!(User::from_uid(Uid::from_raw(*uid)), Ok(None))
                && !has_process(*uid)
                && !owns_files(*uid)
        };
        let uid =
            (FIRST..FIRST + 1000).find(is_free).context("finding an unused user id for nodes")?;
        Ok(Self { uid, gid: uid, is_nodes_only: true })
    }

    /// Content of `/etc/passwd` for node processes.
    pub(crate) fn passwd(&self, home: &Path) -> Result<String> {
        Ok(self.passwd_from(&read("/etc/passwd")?, home))
    }

    /// Content of `/etc/group` for node processes.
    pub(crate) fn group(&self) -> Result<String> {
        Ok(self.group_from(&read("/etc/group")?))
    }

    fn passwd_from(&self, passwd: &str, home: &Path) -> String {
        let others = passwd.lines().filter(|line| id_in(line) != Some(self.uid));
        let (uid, gid, home) = (self.uid, self.gid, home.display());
        let ours = format!("{USER}:x:{uid}:{gid}::{home}:/bin/bash");
        std::iter::once(ours.as_str()).chain(others).map(|line| format!("{line}\n")).collect()
    }

    /// Content of `/etc/group` with the nodes' group and without the group `tty`. An sshd that
    /// is not root cannot give a terminal to that group, and terminals of many containers do not
    /// have it. If there is no such group, sshd uses the user's.
    fn group_from(&self, group: &str) -> String {
        let others =
            group.lines().filter(|line| id_in(line) != Some(self.gid) && !line.starts_with("tty:"));
        let ours = format!("{USER}:x:{}:", self.gid);
        std::iter::once(ours.as_str()).chain(others).map(|line| format!("{line}\n")).collect()
    }
}

/// Content of a file as text.
fn read(path: &str) -> Result<String> {
    let text = fs::read(path).with_context(|| format!("reading `{path}`"))?;
    // Full names may be in any encoding, and are not used here.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// User or group id in a line of `/etc/passwd` or `/etc/group`.
fn id_in(line: &str) -> Option<u32> {
    line.split(':').nth(2)?.parse().ok()
}

fn has_id(lines: &str, id: u32) -> bool {
    lines.lines().any(|line| id_in(line) == Some(id))
}

/// Whether any process runs as the user `uid`.
pub(crate) fn has_process(uid: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    entries.flatten().any(|entry| entry.metadata().is_ok_and(|process| process.uid() == uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Account = Account { uid: 1000, gid: 1000, is_nodes_only: false };

    #[test]
    fn the_users_own_id_has_the_name_of_the_nodes_user() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/zsh\n";
        assert_eq!(
            ME.passwd_from(passwd, Path::new("/nodes/home")),
            "skyload:x:1000:1000::/nodes/home:/bin/bash\nroot:x:0:0:root:/root:/bin/bash\n"
        );
    }

    #[test]
    fn nodes_have_no_group_of_terminals() {
        let group = "root:x:0:\ntty:x:5:\nttyless:x:6:\nme:x:1000:\n";
        assert_eq!(ME.group_from(group), "skyload:x:1000:\nroot:x:0:\nttyless:x:6:\n");
    }

    #[test]
    fn a_user_id_with_processes_is_not_free() {
        assert!(has_process(nix::unistd::geteuid().as_raw()));
        assert!(!has_process(59_999));
    }
}
