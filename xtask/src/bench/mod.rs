//! `cargo xtask bench`: prepares the prerequisites of the benchmarks, and runs them.
//!
//! The benchmarks are a program of its own (`crates/bench`), so that xtask does not depend on
//! the tools that skyload is compared with. xtask provides these tools, a SkyPilot server, the
//! profiler (a command of xtask), and a directory for the files.

mod client;
mod profiler;
mod program;
mod python_package;
mod server;
mod site;
mod tool;

use anyhow::Result;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;

use crate::commands::load;
use crate::flags;
use site::Site;

/// Runs a benchmark, and returns the exit code.
pub(crate) fn run(flags: &flags::Bench) -> Result<u8> {
    let workspace = Workspace::locate()?;
    let machine = load::machine()?;
    let sky = match flags {
        flags::Bench::Profiler(flags) => flags.sky.as_deref(),
        flags::Bench::Client(flags) => flags.sky.as_deref(),
    };
    let server = server::plan(sky, &workspace, &machine)?;
    let signals = Signals::listen()?;
    let site = Site { workspace, machine, server, signals, progress: Progress::new() };
    let code = match flags {
        flags::Bench::Profiler(flags) => profiler::measure(flags, &site),
        flags::Bench::Client(flags) => client::measure(flags, &site),
    };
    site.signals.mark_interrupted(code)
}
