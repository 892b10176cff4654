//! The processes of this machine: a look at all of them, which belong together, and the end
//! of those.
//!
//! Never by name alone: other servers and nodes may run here. What is looked for is known by
//! pid *and* start time, or carries what it was given (a variable, a user, a file that it
//! writes to), or descends from one of these.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use skyload::ids::ProcessIdentity;
use skyload::poll::{Probe, wait_until};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// How often it is looked again for those that were started while others were ended.
const ROUNDS: usize = 10;

/// How often it is looked at whether a process is gone.
const GLANCE: Duration = Duration::from_millis(5);

/// All processes of this machine at one moment.
pub struct Scan {
    system: System,
    parents: HashMap<u32, u32>,
}

/// A process as it was seen.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Its pid.
    pub pid: u32,
    process: &'a sysinfo::Process,
}

/// A process that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its pid and start time.
    pub identity: ProcessIdentity,
    /// Its command line.
    pub words: Vec<OsString>,
}

impl Scan {
    /// Looks at all processes, with their command lines, environments and users.
    pub fn now() -> Result<Self> {
        let mut system = System::new().context("listing the processes of this machine")?;
        system.refresh_processes_specifics(
            ProcessesToUpdate::All,
            true,
            ProcessRefreshKind::nothing()
                .with_cmd(UpdateKind::Always)
                .with_environ(UpdateKind::Always)
                .with_user(UpdateKind::Always)
                // Threads are listed as processes otherwise.
                .without_tasks(),
        );
        let parents = parents(&system);
        Ok(Self { system, parents })
    }

    /// Each of them.
    pub fn processes(&self) -> impl Iterator<Item = Seen<'_>> {
        self.system.processes().iter().map(|(pid, process)| Seen { pid: pid.as_u32(), process })
    }

    /// This process, and all that it was started by.
    fn ancestors(&self) -> HashSet<u32> {
        let mut ancestors = HashSet::new();
        let mut next = Some(std::process::id());
        // Processes are not seen all at one moment: a reused pid might make a circle.
        while let Some(pid) = next.filter(|pid| *pid > 0 && ancestors.insert(*pid)) {
            next = self.parents.get(&pid).copied();
        }
        ancestors
    }
}

impl Seen<'_> {
    /// Its parent's pid; 0 where nobody knows.
    pub fn parent(&self) -> u32 {
        self.process.parent().map_or(0, sysinfo::Pid::as_u32)
    }

    /// Its command line.
    pub fn words(&self) -> &[OsString] {
        self.process.cmd()
    }

    /// The variables that it was started with, unless its title has overwritten them.
    pub fn variables(&self) -> &[OsString] {
        self.process.environ()
    }

    /// Whom it runs as, where that can be seen.
    pub fn uid(&self) -> Option<u32> {
        self.process.user_id().map(|uid| **uid)
    }
}

/// All that are alive of those that are known, that are ours by what is seen of them, or
/// that descend from one of these. This process is none of them, and whom it was started by.
pub fn find(known: &[ProcessIdentity], is_ours: impl Fn(&Seen<'_>) -> bool) -> Result<Vec<Found>> {
    let scan = Scan::now()?;
    let spared = scan.ancestors();
    let known = known.iter().filter(|known| known.is_alive()).map(|known| known.pid);
    let seen = scan.processes().filter(is_ours).map(|seen| seen.pid);
    let mut ours: HashSet<u32> = known.chain(seen).filter(|pid| !spared.contains(pid)).collect();
    add_descendants(&mut ours, &scan.parents);
    let found =
        scan.processes().filter(|seen| ours.contains(&seen.pid) && !spared.contains(&seen.pid));
    let found = found.filter_map(|seen| {
        Some(Found { identity: ProcessIdentity::of(seen.pid)?, words: seen.words().to_vec() })
    });
    Ok(found.collect())
}

/// Ends all that [`find`] finds, and returns those that there were.
pub fn end_all(
    known: &[ProcessIdentity],
    is_ours: impl Fn(&Seen<'_>) -> bool,
) -> Result<Vec<Found>> {
    let mut ended = Vec::new();
    end_again(ROUNDS, || {
        let found = find(known, &is_ours)?;
        let identities = found.iter().map(|found| found.identity).collect();
        ended.extend(found);
        Ok(identities)
    })?;
    Ok(ended)
}

/// Ends what a look finds, until one finds nothing: a process may start another while it is
/// being looked for.
pub fn end_again(
    rounds: usize,
    mut look: impl FnMut() -> Result<Vec<ProcessIdentity>>,
) -> Result<()> {
    for _ in 0..rounds {
        let found = look()?;
        if found.is_empty() {
            break;
        }
        found.into_iter().for_each(end);
    }
    Ok(())
}

/// Ends one process and waits until it is gone. It is not asked: many ignore that.
pub fn end(process: ProcessIdentity) {
    const WITHIN: Duration = Duration::from_secs(5);
    _ = signal_and_wait(process, Signal::SIGKILL, WITHIN);
}

/// Sends a process a signal that ends it, and waits at most so long until it is gone.
pub fn signal_and_wait(process: ProcessIdentity, signal: Signal, within: Duration) -> Result<()> {
    if !process.is_alive() {
        return Ok(());
    }
    let pid = i32::try_from(process.pid).context("sending a signal")?;
    // It may have ended just now.
    _ = kill(Pid::from_raw(pid), signal);
    wait_until(within, GLANCE, || Probe::of(!process.is_alive(), "it is still there"))?;
    Ok(())
}

/// All that descend from a process; none where nobody can look.
pub fn descendants(of: u32) -> Vec<ProcessIdentity> {
    let Ok(scan) = Scan::now() else { return Vec::new() };
    let mut found = HashSet::from([of]);
    add_descendants(&mut found, &scan.parents);
    found.remove(&of);
    found.into_iter().filter_map(ProcessIdentity::of).collect()
}

/// Everybody's parent, by pid; 0 where nobody knows.
pub fn parents(system: &System) -> HashMap<u32, u32> {
    let parent = |process: &sysinfo::Process| process.parent().map_or(0, sysinfo::Pid::as_u32);
    system.processes().iter().map(|(pid, process)| (pid.as_u32(), parent(process))).collect()
}

/// Adds those who descend from `ours`, given everybody's parent.
pub fn add_descendants(ours: &mut HashSet<u32>, parents: &HashMap<u32, u32>) {
    loop {
        let children: Vec<u32> = parents
            .iter()
            .filter(|(pid, parent)| ours.contains(parent) && !ours.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if children.is_empty() {
            return;
        }
        ours.extend(children);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_this_process_nor_whom_it_was_started_by_is_found() {
        let me = ProcessIdentity::current().unwrap();
        let parent = std::os::unix::process::parent_id();
        let found = find(&[me], |seen| seen.pid == parent).unwrap();
        assert_eq!(found, []);
    }

    #[test]
    fn those_who_descend_from_one_that_is_known_are_found() {
        let mut script = std::process::Command::new("sh");
        let mut known = script.args(["-c", "sleep 61 & wait"]).spawn().unwrap();
        let identity = ProcessIdentity::of(known.id()).unwrap();
        let both = wait_until(Duration::from_secs(20), GLANCE, || {
            match find(&[identity], |_| false).unwrap().len() {
                2 => Probe::Ready(()),
                number => Probe::NotYet(number.to_string()),
            }
        });
        both.unwrap();
        let ended = end_all(&[identity], |_| false).unwrap();
        known.wait().unwrap();
        assert!(ended.iter().any(|found| found.words.contains(&"61".into())), "{ended:?}");
        assert!(ended.iter().all(|found| !found.identity.is_alive()));
    }
}
