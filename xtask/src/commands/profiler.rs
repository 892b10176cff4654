//! Process of the profiler: runs `skyload::profiler`.
//!
//! After a SIGKILL of the coordinator, the profiler notices the closed pipe and cleans up
//! what the run has started.

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

/// Nice value of the profiler, above normal priority. Affordable, since the profiler takes
/// about one percent of a core.
const PRIORITY: i32 = -10;

pub(crate) fn run(flags: &flags::Profiler) -> Result<()> {
    let options: ProfilerOptions =
        serde_json::from_str(&flags.options).context("reading the profiler's options")?;
    // On a saturated machine, a process that sleeps 20 times a second wakes up late, and memory
    // peaks just then. Only root may raise the priority; the report has the lateness anyway.
    _ = rustix::process::setpriority_process(None, PRIORITY);
    let coordinator = u32::try_from(nix::unistd::getppid().as_raw()).ok();
    let coordinator = coordinator.and_then(ProcessIdentity::of);
    let reason = profiler::run(&options, stdin(), stdout()).context("profiling")?;
    // Only a run sets a marker. `cargo xtask profile` starts nothing that needs cleanup.
    let is_of_run = options.marker.is_some();
    if is_of_run && reason == Reason::ParentGone && has_exited(coordinator) {
        let workspace = Workspace::locate()?;
        server::clean_up_after_dead_runs(&workspace, false, Progress::new())?;
    }
    Ok(())
}

/// Whether the coordinator has exited, or does so within a moment. A coordinator that lives
/// on has closed the pipe to stop the profiler, and cleans up by itself.
fn has_exited(coordinator: Option<ProcessIdentity>) -> bool {
    // A killed process closes its files shortly before it disappears.
    const GRACE: Duration = Duration::from_secs(2);
    let exit = wait_until(GRACE, Duration::from_millis(5), || {
        Probe::of(!coordinator.is_some_and(ProcessIdentity::is_alive), "still running")
    });
    exit.is_ok()
}
