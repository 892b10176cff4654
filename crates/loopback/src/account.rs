//! Whom the node processes run as.
//!
//! SkyPilot logs in to a node as a user with a home. That user exists in files of
//! ours alone, which nss_wrapper shows to node processes: nothing is added to the
//! machine's own. Root's node processes run as a number that nobody else has; any
//! other user's run as that user, under our user's name and in our user's home.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use nix::unistd::{Uid, User, getegid, geteuid};
use serde::{Deserialize, Serialize};

/// The name that SkyPilot logs in with.
pub(super) const USER: &str = "skyload";

/// Where the search for a free number begins.
const FIRST: u32 = 59_046;

/// The numbers of user and group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Whether all processes of this user are node processes.
    pub(super) is_nodes_only: bool,
}

impl Account {
    /// Root gets a free number, everybody else their own. One that owns files somewhere is
    /// not free: `owns_files` says whether it does.
    pub(super) fn choose(owns_files: impl Fn(u32) -> bool) -> Result<Self> {
        if !geteuid().is_root() {
            let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
            return Ok(Self { uid, gid, is_nodes_only: false });
        }
        let known = [read("/etc/passwd")?, read("/etc/group")?].concat();
        let is_free = |uid: &u32| {
            !has_number(&known, *uid)
                && matches!(User::from_uid(Uid::from_raw(*uid)), Ok(None))
                && !has_process(*uid)
                && !owns_files(*uid)
        };
        let uid =
            (FIRST..FIRST + 1000).find(is_free).context("finding a user number that nobody has")?;
        Ok(Self { uid, gid: uid, is_nodes_only: true })
    }

    /// What node processes read in the place of `/etc/passwd`.
    pub(super) fn passwd(&self, home: &Path) -> Result<String> {
        Ok(self.passwd_from(&read("/etc/passwd")?, home))
    }

    /// What node processes read in the place of `/etc/group`.
    pub(super) fn group(&self) -> Result<String> {
        Ok(self.group_from(&read("/etc/group")?))
    }

    fn passwd_from(&self, passwd: &str, home: &Path) -> String {
        let others = passwd.lines().filter(|line| number(line) != Some(self.uid));
        let (uid, gid, home) = (self.uid, self.gid, home.display());
        let ours = format!("{USER}:x:{uid}:{gid}::{home}:/bin/bash");
        std::iter::once(ours.as_str()).chain(others).map(|line| format!("{line}\n")).collect()
    }

    /// Without the group of terminals. A login server that isn't root can't give a
    /// terminal to that group, which many containers' terminals don't have; where
    /// there is no such group it leaves them to the user's own.
    fn group_from(&self, group: &str) -> String {
        let others = group
            .lines()
            .filter(|line| number(line) != Some(self.gid) && !line.starts_with("tty:"));
        let ours = format!("{USER}:x:{}:", self.gid);
        std::iter::once(ours.as_str()).chain(others).map(|line| format!("{line}\n")).collect()
    }
}

/// Full names may be in any encoding; nothing here depends on them.
fn read(path: &str) -> Result<String> {
    let text = fs::read(path).with_context(|| format!("reading `{path}`"))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The number in a line of `/etc/passwd` or `/etc/group`.
fn number(line: &str) -> Option<u32> {
    line.split(':').nth(2)?.parse().ok()
}

fn has_number(lines: &str, number_: u32) -> bool {
    lines.lines().any(|line| number(line) == Some(number_))
}

pub(super) fn has_process(uid: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = fs::read_dir("/proc") else { return false };
    entries.flatten().any(|entry| entry.metadata().is_ok_and(|process| process.uid() == uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Account = Account { uid: 1000, gid: 1000, is_nodes_only: false };

    #[test]
    fn the_own_number_stands_for_the_nodes_user() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/zsh\n";
        assert_eq!(
            ME.passwd_from(passwd, Path::new("/nodes/home")),
            "skyload:x:1000:1000::/nodes/home:/bin/bash\nroot:x:0:0:root:/root:/bin/bash\n"
        );
    }

    #[test]
    fn nodes_know_no_group_of_terminals() {
        let group = "root:x:0:\ntty:x:5:\nttyless:x:6:\nme:x:1000:\n";
        assert_eq!(ME.group_from(group), "skyload:x:1000:\nroot:x:0:\nttyless:x:6:\n");
    }

    #[test]
    fn a_number_with_processes_is_not_free() {
        assert!(has_process(nix::unistd::geteuid().as_raw()));
        assert!(!has_process(59_999));
    }
}
