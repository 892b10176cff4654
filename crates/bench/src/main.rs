//! The program `bench`: what profiling costs, what it catches, and its effect on a real
//! server.
//!
//! Our profiler, the original tool's psutil loop and a loop over sysinfo watch the
//! same processes in one run, one after the other and in several rounds, so that
//! what the machine does meanwhile happens to all of them. Costs are CPU time, which
//! other work on the machine moves less than wall time, and ratios of it. No test
//! looks at them.
//!
//! `cargo xtask bench profiler` runs it step by step: [`plan`] first, then [`effect`] beside
//! a server that xtask has started, then [`profiler`]. The steps meet in a directory.

mod accuracy;
mod candidate;
mod cost;
mod effect;
mod files;
mod flags;
mod harness;
mod line_process;
mod plan;
mod profiler;
mod result;
mod statistics;
mod sysinfo_loop;
mod tables;
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

/// A tool error.
const TOOL_ERROR: u8 = 1;
/// A mistake in what was asked for.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    // A worker's command line is its title.
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
        Step::SysinfoLoop(flags) => sysinfo_loop::run(flags),
        Step::Workload => workload::run_root(),
    }
}

/// Says what went wrong; the exit code for it. That somebody asked for an end is no news to
/// them.
fn report(error: &anyhow::Error) -> u8 {
    if error.is::<Interrupted>() {
        return Verdict::Inconclusive.exit_code();
    }
    // A terminal that has gone must not hide the exit code.
    _ = writeln!(stderr(), "error: {error:#}");
    if error.is::<UsageErrors>() { USAGE } else { TOOL_ERROR }
}
