//! Scan of all processes of this machine, to find related ones and end them.
//!
//! Processes are never matched by name alone: other servers and nodes may run here. They are
//! known by pid *and* start time, carry something that they were given (an environment
//! variable, a user, an open file), or descend from such a process.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use skyload::ids::ProcessIdentity;
use skyload::poll::{Probe, wait_until};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// Maximum number of scans for processes that were started while others were being ended.
const ROUNDS: usize = 10;

/// Interval at which waits check whether a process is gone.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Snapshot of all processes of this machine.
pub struct Scan {
    system: System,
    parents: HashMap<u32, u32>,
}

/// Process of a [`Scan`].
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// Process id.
    pub pid: u32,
    process: &'a sysinfo::Process,
}

/// Process that [`find`] matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Pid and start time.
    pub identity: ProcessIdentity,
    /// Arguments, the program's name included.
    pub args: Vec<OsString>,
}

impl Scan {
    /// Snapshot of the processes that run now, with arguments, environments and users.
    pub fn now() -> Result<Self> {
        let mut system = System::new().context("listing the processes of this machine")?;
        system.refresh_processes_specifics(
            ProcessesToUpdate::All,
            true,
            ProcessRefreshKind::nothing()
                .with_cmd(UpdateKind::Always)
                .with_environ(UpdateKind::Always)
                .with_user(UpdateKind::Always)
                // sysinfo lists threads as processes by default.
                .without_tasks(),
        );
        let parents = parents(&system);
        Ok(Self { system, parents })
    }

    /// Iterator over the processes, in no particular order.
    pub fn processes(&self) -> impl Iterator<Item = Seen<'_>> {
        self.system.processes().iter().map(|(pid, process)| Seen { pid: pid.as_u32(), process })
    }

    /// Pids of this process and its ancestors.
    fn ancestors(&self) -> HashSet<u32> {
        let mut ancestors = HashSet::new();
        let mut next = Some(std::process::id());
        // The snapshot is not atomic: a pid that was reused meanwhile might close a cycle.
        while let Some(pid) = next.filter(|pid| *pid > 0 && ancestors.insert(*pid)) {
            next = self.parents.get(&pid).copied();
        }
        ancestors
    }
}

impl Seen<'_> {
    /// Pid of the parent; 0 if unknown.
    pub fn parent(&self) -> u32 {
        self.process.parent().map_or(0, sysinfo::Pid::as_u32)
    }

    /// Arguments, the program's name included.
    pub fn args(&self) -> &[OsString] {
        self.process.cmd()
    }

    /// Environment variables at the start, as `NAME=value`. A process title may have
    /// overwritten them.
    pub fn variables(&self) -> &[OsString] {
        self.process.environ()
    }

    /// User id; `None` if not readable.
    pub fn uid(&self) -> Option<u32> {
        self.process.user_id().map(|uid| **uid)
    }
}

/// Running processes that are `known`, that `is_ours` matches, or that descend from one of
/// these. This process and its ancestors are never among them.
pub fn find(known: &[ProcessIdentity], is_ours: impl Fn(&Seen<'_>) -> bool) -> Result<Vec<Found>> {
    let scan = Scan::now()?;
    let excluded = scan.ancestors();
    // The pid of a process that has exited may belong to another one by now.
    let known = known.iter().filter(|known| known.is_alive()).map(|known| known.pid);
    let matched = scan.processes().filter(is_ours).map(|seen| seen.pid);
    let mut ours: HashSet<u32> =
        known.chain(matched).filter(|pid| !excluded.contains(pid)).collect();
    add_descendants(&mut ours, &scan.parents);
    let found =
        scan.processes().filter(|seen| ours.contains(&seen.pid) && !excluded.contains(&seen.pid));
    let found = found.filter_map(|seen| {
        // A process that has exited since the snapshot is left out.
        Some(Found { identity: ProcessIdentity::of(seen.pid)?, args: seen.args().to_vec() })
    });
    Ok(found.collect())
}

/// Kills all processes that [`find`] returns, again until there are none, and returns them.
pub fn end_all(
    known: &[ProcessIdentity],
    is_ours: impl Fn(&Seen<'_>) -> bool,
) -> Result<Vec<Found>> {
    let mut ended = Vec::new();
    end_repeatedly(ROUNDS, || {
        let found = find(known, &is_ours)?;
        let identities = found.iter().map(|found| found.identity).collect();
        ended.extend(found);
        Ok(identities)
    })?;
    Ok(ended)
}

/// Kills the processes that `find` returns until there are none, at most `rounds` times: a
/// process may start another one between the scan and its own end.
pub fn end_repeatedly(
    rounds: usize,
    mut find: impl FnMut() -> Result<Vec<ProcessIdentity>>,
) -> Result<()> {
    for _ in 0..rounds {
        let found = find()?;
        if found.is_empty() {
            break;
        }
        found.into_iter().for_each(end);
    }
    Ok(())
}

/// Kills a process and waits up to 5 s until it is gone. SIGKILL, since many ignore SIGTERM.
pub fn end(process: ProcessIdentity) {
    const WITHIN: Duration = Duration::from_secs(5);
    _ = signal_and_wait(process, Signal::SIGKILL, WITHIN);
}

/// Sends a process a signal that ends it, and waits until it is gone, at most for `within`.
pub fn signal_and_wait(process: ProcessIdentity, signal: Signal, within: Duration) -> Result<()> {
    if !process.is_alive() {
        return Ok(());
    }
    let pid = i32::try_from(process.pid).context("sending a signal")?;
    // Fails if the process has exited since the check above.
    _ = kill(Pid::from_raw(pid), signal);
    wait_until(within, POLL_INTERVAL, || Probe::of(!process.is_alive(), "the process still runs"))?;
    Ok(())
}

/// Descendants of the process `pid`; empty if processes cannot be listed.
pub fn descendants(pid: u32) -> Vec<ProcessIdentity> {
    let Ok(scan) = Scan::now() else { return Vec::new() };
    let mut found = HashSet::from([pid]);
    add_descendants(&mut found, &scan.parents);
    found.remove(&pid);
    found.into_iter().filter_map(ProcessIdentity::of).collect()
}

/// Parent pid of each process, by pid; 0 if unknown.
pub fn parents(system: &System) -> HashMap<u32, u32> {
    let parent = |process: &sysinfo::Process| process.parent().map_or(0, sysinfo::Pid::as_u32);
    system.processes().iter().map(|(pid, process)| (pid.as_u32(), parent(process))).collect()
}

/// Adds all descendants to the set of pids `ours`, given the [`parents`] of all processes.
pub fn add_descendants(ours: &mut HashSet<u32>, parents: &HashMap<u32, u32>) {
    // One generation per round, since the map goes from child to parent.
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
    fn this_process_and_its_ancestors_are_never_found() {
        let me = ProcessIdentity::current().unwrap();
        let parent = std::os::unix::process::parent_id();
        let found = find(&[me], |seen| seen.pid == parent).unwrap();
        assert_eq!(found, []);
    }

    #[test]
    fn descendants_of_a_known_process_are_found() {
        let mut script = std::process::Command::new("sh");
        let mut known = script.args(["-c", "sleep 61 & wait"]).spawn().unwrap();
        let identity = ProcessIdentity::of(known.id()).unwrap();
        let both = wait_until(Duration::from_secs(20), POLL_INTERVAL, || {
            match find(&[identity], |_| false).unwrap().len() {
                2 => Probe::Ready(()),
                number => Probe::NotYet(number.to_string()),
            }
        });
        both.unwrap();
        let ended = end_all(&[identity], |_| false).unwrap();
        known.wait().unwrap();
        assert!(ended.iter().any(|found| found.args.contains(&"61".into())), "{ended:?}");
        assert!(ended.iter().all(|found| !found.identity.is_alive()));
    }
}
