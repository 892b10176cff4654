//! What an infrastructure left behind whose supervisor was killed, and its end.
//!
//! A process is the infrastructure's if it carries its mark, if the supervisor had
//! noted it (a title may have overwritten the mark), if it runs as the user that
//! exists for the nodes alone, or if it descends from one of these.

use std::collections::HashSet;
use std::ffi::OsString;

use anyhow::Result;
use skyload::env;
use skyload::ids::ProcessIdentity;

use super::account::Account;
use crate::processes::{add_descendants, end, look_around, parents};

/// What tells an infrastructure's processes from all others.
pub(super) struct Marks<'a> {
    pub(super) id: &'a str,
    pub(super) account: Account,
    pub(super) known: Vec<ProcessIdentity>,
}

impl Marks<'_> {
    /// Ends all of them, and returns how many there were.
    pub(super) fn end_all(&self) -> Result<usize> {
        let mut ended = 0;
        // One may start another while it is being looked for.
        for _ in 0..10 {
            let found = self.find()?;
            if found.is_empty() {
                break;
            }
            for process in &found {
                end(*process);
            }
            ended += found.len();
        }
        Ok(ended)
    }

    /// All that live.
    pub(super) fn find(&self) -> Result<Vec<ProcessIdentity>> {
        let system = look_around()?;
        let mark = OsString::from(format!("{}={}", env::NODES_OF, self.id));
        let mut ours: HashSet<u32> =
            self.known.iter().filter(|known| known.is_alive()).map(|known| known.pid).collect();
        let parents = parents(&system);
        for (pid, process) in system.processes() {
            let pid = pid.as_u32();
            let uid = process.user_id().map(|uid| **uid);
            let is_nodes_user = self.account.is_nodes_only && uid == Some(self.account.uid);
            if is_nodes_user || process.environ().contains(&mark) {
                ours.insert(pid);
            }
        }
        add_descendants(&mut ours, &parents);
        // Nobody ends itself or whom it was started by.
        let mut spared = Some(std::process::id());
        while let Some(pid) = spared.filter(|pid| *pid > 0) {
            ours.remove(&pid);
            spared = parents.get(&pid).copied();
        }
        Ok(ours.into_iter().filter_map(ProcessIdentity::of).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use skyload::poll::{Probe, wait_until};

    use super::*;

    const ACCOUNT: Account = Account { uid: 0, gid: 0, is_nodes_only: false };

    #[test]
    fn marked_processes_and_their_children_are_ended_and_no_others() {
        let id = format!("test-{}", std::process::id());
        let mut marked = Command::new("sh")
            // A child without the mark.
            .args(["-c", "env -i sleep 61 & wait"])
            .env(env::NODES_OF, &id)
            .spawn()
            .unwrap();
        let mut other = Command::new("sleep").arg("61").spawn().unwrap();
        let marks = Marks { id: &id, account: ACCOUNT, known: Vec::new() };
        let both = wait_until(Duration::from_secs(5), Duration::from_millis(10), || {
            match marks.find().unwrap().len() {
                2 => Probe::Ready(()),
                number => Probe::NotYet(number.to_string()),
            }
        });
        both.unwrap();
        assert_eq!(marks.end_all().unwrap(), 2);
        marked.wait().unwrap();
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }

    #[test]
    fn a_known_process_is_ended_without_a_mark() {
        let mut known = Command::new("sleep").arg("61").spawn().unwrap();
        let identity = ProcessIdentity::of(known.id()).unwrap();
        let marks = Marks { id: "none", account: ACCOUNT, known: vec![identity] };
        assert_eq!(marks.end_all().unwrap(), 1);
        assert!(!known.wait().unwrap().success());
    }
}
