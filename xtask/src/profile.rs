//! The profiler's own process: a thin shell around `skyload::profiler`.
//!
//! It outlives a run that is killed by a moment, and uses it to clear away what
//! that run had started.

use std::io::{stdin, stdout};

use anyhow::{Context, Result};
use skyload::profiler::{self, ProfilerOptions};

use crate::flags;
use crate::progress::Progress;
use crate::server;
use crate::workspace::Workspace;

/// Somewhat above normal: it takes about one percent of a core.
const PRIORITY: i32 = -10;

pub(crate) fn run(flags: &flags::Profile) -> Result<()> {
    let options: ProfilerOptions =
        serde_json::from_str(&flags.options).context("reading the profiler's options")?;
    // On a saturated machine a process that sleeps 20 times a second is woken late,
    // just when memory peaks. Only root may do this; without it, lateness is told.
    _ = rustix::process::setpriority_process(None, PRIORITY);
    let parent = nix::unistd::getppid();
    profiler::run(&options, stdin(), stdout()).context("profiling")?;
    if nix::unistd::getppid() != parent {
        // The run was killed; what it started is ours to end, then.
        let workspace = Workspace::locate()?;
        server::clean_up_after_dead_runs(&workspace, false, Progress::new())?;
    }
    Ok(())
}
