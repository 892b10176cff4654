//! `cargo xtask bench profiler`: prepares the prerequisites of the benchmark, and runs it.
//!
//! The benchmark is a program of its own (`crates/bench`), so that xtask does not depend on
//! the tools that are compared with the profiler. xtask provides a Python with psutil, a
//! SkyPilot server, the profiler (a command of xtask), and a directory for the files.

mod program;
mod psutil;
mod server;

use std::fs;

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::ids::RunId;
use skyload::plan::{LoadPlan, Machine};
use skyload::record::RunDir;

use crate::commands::load;
use crate::flags;
use crate::server::clean_up_after_dead_runs;
use program::{Program, StepResult};
use psutil::Psutil;

/// Runs the benchmark, and returns the exit code.
pub(crate) fn run(flags: &flags::Bench) -> Result<u8> {
    let flags::Bench::Profiler(flags) = flags;
    let workspace = Workspace::locate()?;
    let machine = load::machine()?;
    let server = server::plan(flags.sky.as_deref(), &workspace, &machine)?;
    let signals = Signals::listen()?;
    signals.mark_interrupted(measure(flags, &machine, &server, &workspace, &signals))
}

fn measure(
    flags: &flags::BenchProfiler,
    machine: &Machine,
    server: &LoadPlan,
    workspace: &Workspace,
    signals: &Signals,
) -> Result<u8> {
    let progress = Progress::new();
    let _lock = workspace.lock()?;
    clean_up_after_dead_runs(workspace, true, progress)?;
    let program = Program::build(workspace, signals, progress)?;
    let plan = match program.plan(flags, machine)? {
        StepResult::Succeeded(plan) => plan,
        StepResult::Failed(code) => return Ok(code),
    };
    let psutil = Psutil::find_or_install(&workspace.state, progress)?;
    signals.check()?;
    let run = RunDir::create(&workspace.bench().join(RunId::generate().as_str()))?;
    // The path that the benchmark reads. `plan.json` would be the plan of a load.
    let file = run.path().join("bench-plan.json");
    fs::write(&file, plan).with_context(|| format!("writing `{}`", file.display()))?;
    // The server first, so that a server that does not start fails the benchmark early.
    if !flags.without_server
        && let StepResult::Failed(code) =
            server::with(server, &run, workspace, signals, progress, |server| {
                program.effect(&run, server)
            })?
    {
        return Ok(code);
    }
    match program.profiler(&run, &psutil, machine)? {
        StepResult::Succeeded(_) => Ok(0),
        StepResult::Failed(code) => Ok(code),
    }
}
