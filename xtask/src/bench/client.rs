//! `cargo xtask bench client`: the load generator against other clients.

use anyhow::{Context as _, Result};

use super::program::{Program, StepResult};
use super::python_package::REQUESTS;
use super::site::Site;
use super::tool::{FoundTool, Tool};
use crate::flags;
use crate::tools::{oha, wrk};

/// Runs the benchmark, and returns the exit code.
pub(super) fn measure(flags: &flags::BenchClient, site: &Site) -> Result<u8> {
    let _lock = site.begin()?;
    let program = Program::build(site)?;
    let tools = find_tools(site)?;
    let run = site.run_dir()?;
    // The server first, so that a server that does not start fails the benchmark early.
    if !flags.without_server {
        let result = site.with_server(&run, |server, sky| {
            let python = sky.python.as_deref().context("finding the Python of `sky`")?;
            program.sdk(flags, &run, server, python)
        })?;
        if let StepResult::Failed(code) = result {
            return Ok(code);
        }
    }
    program.client(flags, &run, &tools, &site.machine).map(StepResult::code)
}

/// Finds or installs the tools. One that cannot be had is not measured.
fn find_tools(site: &Site) -> Result<[Tool; 3]> {
    let (state, progress) = (&site.workspace.state, site.progress);
    let oha = oha::find_or_install(state, &progress)
        .map(|(program, version)| FoundTool { program, version: format!("oha {version}") });
    let wrk = wrk::find_or_unpack(state, &progress)
        .map(|(program, version)| FoundTool { program, version });
    let session = REQUESTS
        .find_or_install(state, progress)
        .map(|found| FoundTool { program: found.python, version: found.versions });
    let tools = [
        Tool::of("oha", "--oha", oha)?,
        Tool::of("wrk", "--wrk", wrk)?,
        Tool::of("Python session", "--session-python", session)?,
    ];
    site.signals.check()?;
    Ok(tools)
}
