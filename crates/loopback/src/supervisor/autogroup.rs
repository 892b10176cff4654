//! CPU priority of node processes' sessions.
//!
//! On kernels that schedule by session (`CONFIG_SCHED_AUTOGROUP`, the default of many
//! distributions, see sched(7)), each session gets the same share of the CPU, and `SCHED_IDLE`
//! counts only within a session. Each command over ssh and each Slurm step is a session: with
//! ten of them, the server under test and all its executors would get an eleventh. Sessions that
//! run a script of skyload lower their own priority; the supervisor does so for the others.

use std::collections::HashSet;
use std::fs;

use super::super::priority::NodePriority;
use super::descendants::Descendant;

/// Sessions whose priority was lowered.
#[derive(Debug, Default)]
pub(super) struct LoweredSessions(HashSet<u32>);

impl LoweredSessions {
    /// Lowers the priority of new sessions among those of `running`, except for the daemons'
    /// session `own`.
    pub(super) fn extend<'a>(
        &mut self,
        running: impl IntoIterator<Item = &'a Descendant>,
        own: u32,
        priority: NodePriority,
    ) {
        let mut present = HashSet::from([own]);
        for process in running {
            let is_new = present.insert(process.session) && !self.0.contains(&process.session);
            // The kernel allows an ordinary user ten such changes a second. A session whose
            // change fails is not inserted, so the next call tries again.
            if is_new && lower(process.identity.pid, priority) {
                self.0.insert(process.session);
            }
        }
        // Session ids are reused.
        self.0.retain(|session| present.contains(session));
    }
}

/// Lowers the priority of a process's session. Returns whether that is done: also if the kernel
/// has no autogroups, and thus no such file.
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

    use super::super::descendants::descendants;
    use super::*;

    #[test]
    fn a_new_session_is_lowered_and_the_daemons_session_is_not() {
        let mut apart = Command::new("setsid").args(["sleep", "60"]).spawn().unwrap();
        let own = u32::try_from(nix::unistd::getsid(None).unwrap().as_raw()).unwrap();
        let file = format!("/proc/{}/autogroup", apart.id());
        // Without autogroups there is nothing to lower.
        let has_groups = fs::exists(&file).unwrap();
        let mut lowered = LoweredSessions::default();
        // `setsid` becomes a session's leader some time after its start.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !lowered.0.contains(&apart.id()) && std::time::Instant::now() < until {
            lowered.extend(&descendants().unwrap(), own, NodePriority::Idle);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let nice = fs::read_to_string(&file);
        apart.kill().unwrap();
        apart.wait().unwrap();
        assert!(lowered.0.contains(&apart.id()));
        assert!(!lowered.0.contains(&own));
        match has_groups {
            true => assert!(nice.as_ref().unwrap().trim_end().ends_with("nice 19"), "{nice:?}"),
            false => assert!(nice.is_err(), "{nice:?}"),
        }
    }
}
