//! `cargo xtask bench profiler`: the profiler against other profilers, and its effect on a server.

use std::fs;

use anyhow::{Context as _, Result};

use super::program::{Program, StepResult};
use super::python_package::PSUTIL;
use super::site::Site;
use crate::flags;

/// Runs the benchmark, and returns the exit code.
pub(super) fn measure(flags: &flags::BenchProfiler, site: &Site) -> Result<u8> {
    let _lock = site.begin()?;
    let program = Program::build(site)?;
    if flags.attribution {
        return program.attribution(flags).map(StepResult::code);
    }
    let plan = match program.plan(flags, &site.machine)? {
        StepResult::Succeeded(plan) => plan,
        StepResult::Failed(code) => return Ok(code),
    };
    let psutil = PSUTIL.find_or_install(&site.workspace.state, site.progress)?;
    site.signals.check()?;
    let run = site.run_dir()?;
    // The path that the benchmark reads. `plan.json` would be the plan of a load.
    let file = run.path().join("bench-plan.json");
    fs::write(&file, plan).with_context(|| format!("writing `{}`", file.display()))?;
    // The server first, so that a server that does not start fails the benchmark early.
    if !flags.without_server
        && let StepResult::Failed(code) =
            site.with_server(&run, |server, _| program.effect(&run, server))?
    {
        return Ok(code);
    }
    program.profiler(&run, &psutil, &site.machine).map(StepResult::code)
}
