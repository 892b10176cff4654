//! What an infrastructure left behind whose supervisor was killed, and its end.
//!
//! A process is the infrastructure's if it carries its mark, if the supervisor had
//! noted it (a title may have overwritten the mark), if it runs as the user that
//! exists for the nodes alone, or if it descends from one of these.

use std::ffi::OsString;

use anyhow::Result;
use host::process::scan::{self, Seen};
use skyload::env;
use skyload::ids::ProcessIdentity;

use super::account::Account;

/// What tells an infrastructure's processes from all others.
pub(super) struct Marks<'a> {
    pub(super) id: &'a str,
    pub(super) account: Account,
    pub(super) known: Vec<ProcessIdentity>,
}

impl Marks<'_> {
    /// Ends all of them, and returns how many there were.
    pub(super) fn end_all(&self) -> Result<usize> {
        Ok(scan::end_all(&self.known, self.rule())?.len())
    }

    /// All that live.
    #[cfg(test)]
    fn find(&self) -> Result<Vec<ProcessIdentity>> {
        let found = scan::find(&self.known, self.rule())?;
        Ok(found.into_iter().map(|found| found.identity).collect())
    }

    /// What tells a process as a node's that was not known before.
    fn rule(&self) -> impl Fn(&Seen<'_>) -> bool {
        let mark = OsString::from(format!("{}={}", env::NODES_OF, self.id));
        let user = self.account.is_nodes_only.then_some(self.account.uid);
        move |seen| user.is_some() && seen.uid() == user || seen.variables().contains(&mark)
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
