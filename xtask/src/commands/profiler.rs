//! The profiler's own process: a thin shell around `skyload::profiler`.
//!
//! It outlives a run that is killed by a moment, and uses it to clear away what
//! that run had started.

use std::io::{stdin, stdout};
use std::time::Duration;

use anyhow::{Context, Result};
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::ids::ProcessIdentity;
use skyload::poll::{Probe, wait_until};
use skyload::profiler::{self, ProfilerOptions, Reason};

use crate::flags;
use crate::server;

/// Somewhat above normal: it takes about one percent of a core.
const PRIORITY: i32 = -10;

pub(crate) fn run(flags: &flags::Profiler) -> Result<()> {
    let options: ProfilerOptions =
        serde_json::from_str(&flags.options).context("reading the profiler's options")?;
    // On a saturated machine a process that sleeps 20 times a second is woken late,
    // just when memory peaks. Only root may do this; without it, lateness is told.
    _ = rustix::process::setpriority_process(None, PRIORITY);
    let coordinator = u32::try_from(nix::unistd::getppid().as_raw()).ok();
    let coordinator = coordinator.and_then(ProcessIdentity::of);
    let reason = profiler::run(&options, stdin(), stdout()).context("profiling")?;
    // Only a run's server has a marker; a profile on its own has started nothing.
    let is_of_run = options.marker.is_some();
    if is_of_run && reason == Reason::ParentGone && has_ended(coordinator) {
        // The run was killed; what it started is ours to end, then.
        let workspace = Workspace::locate()?;
        server::clean_up_after_dead_runs(&workspace, false, Progress::new())?;
    }
    Ok(())
}

/// Whether the coordinator ends. A process that is killed closes its files a moment
/// before it is gone; one that lives only wants us to end.
fn has_ended(coordinator: Option<ProcessIdentity>) -> bool {
    const MOMENT: Duration = Duration::from_secs(2);
    let gone = wait_until(MOMENT, Duration::from_millis(5), || {
        Probe::of(!coordinator.is_some_and(ProcessIdentity::is_alive), "it is alive")
    });
    gone.is_ok()
}
