//! The processes of this machine: a look at all of them, and the end of one.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use skyload::ids::ProcessIdentity;
use skyload::poll::{Probe, wait_until};
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// All processes, with their command lines, environments and users.
pub(crate) fn look_around() -> Result<System> {
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
    Ok(system)
}

/// Everybody's parent, by pid; 0 where nobody knows.
pub(crate) fn parents(system: &System) -> HashMap<u32, u32> {
    let parent = |process: &sysinfo::Process| process.parent().map_or(0, sysinfo::Pid::as_u32);
    system.processes().iter().map(|(pid, process)| (pid.as_u32(), parent(process))).collect()
}

/// Adds those who descend from `ours`, given everybody's parent.
pub(crate) fn add_descendants(ours: &mut HashSet<u32>, parents: &HashMap<u32, u32>) {
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

/// Ends one process and waits until it is gone.
pub(crate) fn end(process: ProcessIdentity) {
    let Ok(pid) = i32::try_from(process.pid) else { return };
    if process.is_alive() {
        _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        _ = wait_until(Duration::from_secs(5), Duration::from_millis(5), || {
            if process.is_alive() {
                Probe::NotYet("it is still there".to_owned())
            } else {
                Probe::Ready(())
            }
        });
    }
}
