//! The profiler's own process: a thin shell around `skyload::profiler`.

use std::io::{stdin, stdout};

use anyhow::{Context, Result};
use skyload::profiler::{self, ProfilerOptions};

use crate::flags;

pub(crate) fn run(flags: &flags::Profile) -> Result<()> {
    let options: ProfilerOptions =
        serde_json::from_str(&flags.options).context("reading the profiler's options")?;
    profiler::run(&options, stdin(), stdout()).context("profiling")
}
