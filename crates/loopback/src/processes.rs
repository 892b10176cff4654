//! Node processes that leaked because the supervisor was killed.
//!
//! A process belongs to a cluster if its environment has the cluster's id
//! (`SKYLOAD_NODES_OF`), if the supervisor has listed it (a process title may have overwritten
//! the environment), if it runs as the user id that only nodes have, or if it descends from
//! such a process. The cluster of another state directory may have the same user id: a process
//! that has another id, or inherits it, is not matched by its user.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::Result;
use host::process::scan::{self, Seen};
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::process::look_up;
use skyload::record::read_json_optional;

use super::account::Account;

/// Facts that identify the node processes of a cluster.
pub(crate) struct NodeProcesses<'a> {
    /// Id of the cluster.
    pub(crate) id: &'a str,
    pub(crate) account: Account,
    /// Supervisor, and the processes that it has listed.
    pub(crate) known: Vec<ProcessIdentity>,
}

impl<'a> NodeProcesses<'a> {
    /// Node processes of the cluster `id`, with those that its supervisor has listed in the file
    /// `members`.
    pub(crate) fn listed(id: &'a str, account: Account, members: &Path) -> Self {
        // Without a readable list, processes are found by user, variable and descent alone.
        let known = read_json_optional(members, "list of node processes").ok().flatten();
        Self { id, account, known: known.unwrap_or_default() }
    }

    /// Kills all node processes and returns their number.
    pub(crate) fn end_all(&self) -> Result<usize> {
        Ok(scan::end_all(&self.known, self.matcher())?.len())
    }

    /// Node processes that are running.
    #[cfg(test)]
    fn find(&self) -> Result<Vec<ProcessIdentity>> {
        let found = scan::find(&self.known, self.matcher())?;
        Ok(found.into_iter().map(|found| found.identity).collect())
    }

    /// Matcher of node processes that the supervisor has not listed.
    fn matcher(&self) -> impl Fn(&Seen<'_>) -> bool {
        let variable = OsString::from(format!("{}={}", env::NODES_OF, self.id));
        let user = self.account.is_nodes_only.then_some(self.account.uid);
        move |seen| {
            let is_users = || user.is_some() && seen.uid() == user;
            seen.variables().contains(&variable) || is_users() && !is_of_other(seen.pid, &variable)
        }
    }
}

/// Whether a process belongs to another cluster than that of `variable`, by the nearest of the
/// process and its ancestors that has a cluster's id. The supervisor of a cluster has it.
fn is_of_other(pid: u32, variable: &OsStr) -> bool {
    // A pid that is reused meanwhile might close a cycle.
    const GENERATIONS: usize = 1000;
    let parent = |pid: &u32| look_up(*pid).map(|process| process.parent).filter(|pid| *pid > 0);
    let mut family = std::iter::successors(Some(pid), parent).take(GENERATIONS);
    family.find_map(cluster_variable).is_some_and(|found| found != variable.as_bytes())
}

/// Variable with the id of the cluster that a process belongs to, as `NAME=value`; `None` if the
/// process has none, or its variables cannot be read.
fn cluster_variable(pid: u32) -> Option<Vec<u8>> {
    let variables = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let is_id = |variable: &&[u8]| {
        let value = variable.strip_prefix(env::NODES_OF.as_bytes());
        value.is_some_and(|value| value.starts_with(b"="))
    };
    variables.split(|byte| *byte == 0).find(is_id).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use skyload::poll::{Probe, wait_until};

    use super::*;

    const ACCOUNT: Account = Account { uid: 0, gid: 0, is_nodes_only: false };

    #[test]
    fn processes_with_the_variable_and_their_children_are_killed_and_no_others() {
        let id = format!("test-{}", std::process::id());
        let mut parent = Command::new("sh")
            // A child without the variable.
            .args(["-c", "env -i sleep 61 & wait"])
            .env(env::NODES_OF, &id)
            .spawn()
            .unwrap();
        let mut other = Command::new("sleep").arg("61").spawn().unwrap();
        let processes = NodeProcesses { id: &id, account: ACCOUNT, known: Vec::new() };
        let both =
            wait_until(Duration::from_secs(5), Duration::from_millis(10), || {
                match processes.find().unwrap().len() {
                    2 => Probe::Ready(()),
                    number => Probe::NotYet(number.to_string()),
                }
            });
        both.unwrap();
        assert_eq!(processes.end_all().unwrap(), 2);
        parent.wait().unwrap();
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn processes_of_another_cluster_with_the_same_user_are_not_found() {
        let other = format!("other-{}", std::process::id());
        let mut parent = Command::new("sh")
            // A child without the variable.
            .args(["-c", "env -i sleep 61 & wait"])
            .env(env::NODES_OF, &other)
            .spawn()
            .unwrap();
        let mut leaked = Command::new("sleep").arg("61").spawn().unwrap();
        let of_other = NodeProcesses { id: &other, account: ACCOUNT, known: Vec::new() };
        let both = wait_until(Duration::from_secs(5), Duration::from_millis(10), || match of_other
            .find()
            .unwrap()
        {
            found if found.len() == 2 => Probe::Ready(found),
            found => Probe::NotYet(found.len().to_string()),
        });
        let both = both.unwrap();
        let uid = nix::unistd::geteuid().as_raw();
        let account = Account { uid, gid: uid, is_nodes_only: true };
        // Only looked at: all processes of this user are among them.
        let found = NodeProcesses { id: "mine", account, known: Vec::new() }.find().unwrap();
        assert!(both.iter().all(|process| !found.contains(process)), "{both:?} in {found:?}");
        assert!(found.contains(&ProcessIdentity::of(leaked.id()).unwrap()));
        of_other.end_all().unwrap();
        parent.wait().unwrap();
        leaked.kill().unwrap();
        leaked.wait().unwrap();
    }

    #[test]
    fn a_known_process_is_killed_without_the_variable() {
        let mut known = Command::new("sleep").arg("61").spawn().unwrap();
        let identity = ProcessIdentity::of(known.id()).unwrap();
        let processes = NodeProcesses { id: "none", account: ACCOUNT, known: vec![identity] };
        assert_eq!(processes.end_all().unwrap(), 1);
        assert!(!known.wait().unwrap().success());
    }
}
