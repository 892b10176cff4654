//! Program `bench`: overhead and accuracy of the profiler, and its effect on a real server; CPU
//! time, memory and lateness of the load generator.
//!
//! The candidates are skyload's profiler, a psutil loop like upstream's, and a sysinfo loop.
//! They watch the same processes in one run, one after the other and in several rounds, so
//! that other work on the machine affects all of them. Overhead is measured as CPU time,
//! which other work changes less than wall time, and as ratios of CPU times. No test depends
//! on the results.
//!
//! `cargo xtask bench profiler` runs the steps: [`plan`], then [`effect`] with a server that
//! xtask starts, then [`profiler`]. The steps share a directory of files. With `--attribution` it
//! runs [`attribution`] alone. `cargo xtask bench client` is about the load generator instead:
//! [`client`].

mod accuracy;
mod attribution;
mod candidate;
mod client;
mod effect;
mod files;
mod flags;
mod harness;
mod line_process;
mod overhead;
mod plan;
mod profiler;
mod result;
mod runtime;
mod statistics;
mod sysinfo_loop;
mod tables;
mod titled;
mod watcher;

use std::io::{Write as _, stderr};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use bench::workload::{self, worker};
use clap::Parser as _;
use host::print;
use host::signals::Interrupted;
use skyload::analysis::Verdict;
use skyload::plan::UsageErrors;

use flags::{Bench, Step};
use plan::Plan;

/// Exit code of a tool error.
const TOOL_ERROR: u8 = 1;
/// Exit code of a usage error.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    // A worker gets its task by an environment variable: its command line is its title.
    let ran = worker::task().map_or_else(|| run(&Bench::parse()), |task| worker::work(&task));
    ran.map_or_else(|error| ExitCode::from(report(&error)), |()| ExitCode::SUCCESS)
}

fn run(flags: &Bench) -> Result<()> {
    match &flags.step {
        Step::Plan(flags) => {
            let plan = Plan::resolve(flags)?;
            let plan = serde_json::to_string(&plan).context("writing the plan")?;
            print::text("the plan", |out| writeln!(out, "{plan}"))
        }
        Step::Effect(flags) => effect::run(flags),
        Step::Profiler(flags) => profiler::run(flags),
        Step::Attribution(flags) => attribution::run(flags),
        Step::SysinfoLoop(flags) => sysinfo_loop::run(flags),
        Step::Workload => workload::run_root(),
        Step::Client(flags) => client::run(flags),
        Step::Sdk(flags) => client::run_sdk(flags),
        Step::Scenario(flags) => client::run_scenario(flags),
        Step::StaticServer => client::run_static_server(),
        Step::TimerLoop(flags) => client::run_timer_loop(flags),
        Step::Measure(flags) => client::run_wrapper(flags),
    }
}

/// Prints an error, except an interruption by the user, and returns the exit code for it.
fn report(error: &anyhow::Error) -> u8 {
    if error.is::<Interrupted>() {
        return Verdict::Inconclusive.exit_code();
    }
    // A closed terminal must not change the exit code.
    _ = writeln!(stderr(), "error: {error:#}");
    if error.is::<UsageErrors>() { USAGE } else { TOOL_ERROR }
}
