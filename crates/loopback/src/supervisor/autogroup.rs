//! Sessions of node processes at a lower priority.
//!
//! Where the kernel groups processes by sessions (`CONFIG_SCHED_AUTOGROUP`, the
//! default of many distributions), every session gets the same share of the CPU, and
//! `SCHED_IDLE` counts only among the processes of one. Each command over ssh and
//! each Slurm step is a session: ten of them would leave the server under test, with
//! all its executors, an eleventh. They lower themselves where a script of ours is
//! run in them; the others are lowered from here. See sched(7).

use std::collections::HashSet;
use std::fs;

use super::super::priority::NodePriority;
use super::family::Member;

/// Sessions that have been lowered.
#[derive(Debug, Default)]
pub(super) struct Lowered(HashSet<u32>);

impl Lowered {
    /// Lowers sessions that are new, but for that of the daemons.
    pub(super) fn extend<'a>(
        &mut self,
        living: impl IntoIterator<Item = &'a Member>,
        own: u32,
        priority: NodePriority,
    ) {
        let mut present = HashSet::from([own]);
        for member in living {
            let is_new = present.insert(member.session) && !self.0.contains(&member.session);
            // The kernel lets an ordinary user do this ten times a second; what it
            // refuses now is tried again.
            if is_new && lower(member.identity.pid, priority) {
                self.0.insert(member.session);
            }
        }
        self.0.retain(|session| present.contains(session));
    }
}

/// Whether it was lowered, or can't be: there is no such file without autogroups.
fn lower(pid: u32, priority: NodePriority) -> bool {
    let file = format!("/proc/{pid}/autogroup");
    match fs::write(&file, priority.nice()) {
        Ok(()) => true,
        Err(_) => !fs::exists(&file).unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::family::descendants;
    use super::*;

    #[test]
    fn a_session_is_lowered_and_that_of_the_daemons_is_not() {
        let mut apart = Command::new("setsid").args(["sleep", "60"]).spawn().unwrap();
        let own = u32::try_from(nix::unistd::getsid(None).unwrap().as_raw()).unwrap();
        let file = format!("/proc/{}/autogroup", apart.id());
        // Where the kernel knows no groups, there is nothing to lower, and that is all.
        let has_groups = fs::exists(&file).unwrap();
        let mut lowered = Lowered::default();
        // `setsid` needs a moment to become a session's leader.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !lowered.0.contains(&apart.id()) && std::time::Instant::now() < until {
            lowered.extend(&descendants().unwrap(), own, NodePriority::Idle);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let nice = fs::read_to_string(&file);
        apart.kill().unwrap();
        apart.wait().unwrap();
        assert!(lowered.0.contains(&apart.id()), "it is seen to");
        assert!(!lowered.0.contains(&own));
        match has_groups {
            true => assert!(nice.as_ref().unwrap().trim_end().ends_with("nice 19"), "{nice:?}"),
            false => assert!(nice.is_err(), "{nice:?}"),
        }
    }
}
