//! The profiler's own process: a thin shell around `skyload::profiler`.

use std::io::{stdin, stdout};

use anyhow::{Context, Result};
use skyload::profiler::{self, ProfilerOptions};

use crate::flags;

/// Somewhat above normal: it takes about one percent of a core.
const PRIORITY: i32 = -10;

pub(crate) fn run(flags: &flags::Profile) -> Result<()> {
    let options: ProfilerOptions =
        serde_json::from_str(&flags.options).context("reading the profiler's options")?;
    // On a saturated machine a process that sleeps 20 times a second is woken late,
    // just when memory peaks. Only root may do this; without it, lateness is told.
    _ = rustix::process::setpriority_process(None, PRIORITY);
    profiler::run(&options, stdin(), stdout()).context("profiling")
}
