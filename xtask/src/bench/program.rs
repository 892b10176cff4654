//! Program `bench` of `crates/bench`: its build, and its steps.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use host::environment::{Environment, For};
use host::process::child::OwnedChild;
use host::process::command::output;
use host::signals::Signals;
use serde_json::Value;
use skyload::plan::Machine;
use skyload::profiler::ProfilerOptions;
use skyload::record::RunDir;
use skyload::units::ByteSize;

use super::python_package::PythonWithPackage;
use super::site::Site;
use super::tool::Tool;
use crate::flags;
use crate::nextest::without_outer_cargo;
use crate::server::ServerSession;

/// Built program.
pub(super) struct Program<'a> {
    path: PathBuf,
    signals: &'a Signals,
}

/// Result of a step, which prints its errors itself.
pub(super) enum StepResult {
    /// Exit code 0, with the standard output if that was piped.
    Succeeded(String),
    /// Exit code of a failed step.
    Failed(u8),
}

impl StepResult {
    /// Exit code.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Succeeded(_) => 0,
            Self::Failed(code) => code,
        }
    }
}

impl<'a> Program<'a> {
    /// Builds the program with the same cargo profile (debug or release) as xtask.
    pub(super) fn build(site: &'a Site) -> Result<Self> {
        let step = site.progress.step("Building the benchmark");
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--package", "bench", "--bin", "bench"])
            .args(["--message-format", "json-render-diagnostics"])
            .args((!cfg!(debug_assertions)).then_some("--release"))
            .current_dir(&site.workspace.root);
        let output = output(without_outer_cargo(&mut cargo)).context("starting cargo")?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            bail!("building the benchmark failed ({}):\n{}", output.status, stderr.trim_end());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let path =
            executable_in(&text).context("no path of the benchmark's program in cargo's output")?;
        step.done("built");
        Ok(Self { path, signals: &site.signals })
    }

    /// Runs the step that resolves the plan; its output is the plan as JSON.
    pub(super) fn plan(
        &self,
        flags: &flags::BenchProfiler,
        machine: &Machine,
    ) -> Result<StepResult> {
        let floor = machine.default_floor();
        let usable = machine.memory_available.as_u64().saturating_sub(floor.as_u64());
        let mut command = self.step("plan");
        command.args(bytes("--usable", ByteSize(usable))).args(bytes("--floor", floor));
        if !flags.workers.is_empty() {
            let workers: Vec<String> = flags.workers.iter().map(u32::to_string).collect();
            command.args(["--workers", &workers.join(",")]);
        }
        if let Some(rounds) = flags.rounds {
            command.args(["--rounds", &rounds.to_string()]);
        }
        command.args(flags.quick.then_some("--quick"));
        command.args(flags.without_server.then_some("--without-server"));
        self.run(command.stdout(Stdio::piped()))
    }

    /// Runs the step that measures the effect of profiling on a server.
    pub(super) fn effect(&self, run: &RunDir, server: &ServerSession) -> Result<StepResult> {
        let addresses = server.addresses.context("finding the processes of the server")?;
        let profile = ProfilerOptions {
            api_port: Some(addresses.api_port),
            queue_port: Some(addresses.queue_port),
            ..ProfilerOptions::new(addresses.root, run.samples(), run.processes())
        };
        let client =
            serde_json::to_string(&server.client).context("serializing the client settings")?;
        let profile =
            serde_json::to_string(&profile).context("serializing the profiler's options")?;
        let mut command = self.step("effect");
        command.arg(run.path()).args(["--xtask", &this_program()]);
        command.args(["--release", &server.server.version]);
        command.args(["--client", &client]).args(["--profile", &profile]);
        self.run(&mut command)
    }

    /// Runs the step that measures the profiler with and without attribution.
    pub(super) fn attribution(&self, flags: &flags::BenchProfiler) -> Result<StepResult> {
        let mut command = self.step("attribution");
        command.args(["--xtask", &this_program()]).args(flags.quick.then_some("--quick"));
        if let Some(rounds) = flags.rounds {
            command.args(["--rounds", &rounds.to_string()]);
        }
        self.run(&mut command)
    }

    /// Runs the step that measures overhead and accuracy, and prints all results.
    pub(super) fn profiler(
        &self,
        run: &RunDir,
        psutil: &PythonWithPackage,
        machine: &Machine,
    ) -> Result<StepResult> {
        let mut command = self.step("profiler");
        command.arg(run.path()).args(["--xtask", &this_program()]);
        command.arg("--python").arg(&psutil.python).args(["--psutil", &psutil.versions]);
        command.args(bytes("--memory", machine.memory_total));
        self.run(&mut command)
    }

    /// Runs the step that measures the load generator and SkyPilot's SDK on a server.
    pub(super) fn sdk(
        &self,
        flags: &flags::BenchClient,
        run: &RunDir,
        server: &ServerSession,
        python: &Path,
    ) -> Result<StepResult> {
        let client =
            serde_json::to_string(&server.client).context("serializing the client settings")?;
        let mut command = self.step("sdk");
        command.arg(run.path()).args(client_plan(flags)).args(["--client", &client]);
        command.arg("--python").arg(python);
        self.run(&mut command)
    }

    /// Runs the step that measures the load generator and other tools, and prints all results.
    pub(super) fn client(
        &self,
        flags: &flags::BenchClient,
        run: &RunDir,
        tools: &[Tool],
        machine: &Machine,
    ) -> Result<StepResult> {
        let mut command = self.step("client");
        command.arg(run.path()).args(client_plan(flags));
        command.args(bytes("--memory", machine.memory_total));
        for tool in tools {
            match &tool.found {
                Ok(found) => {
                    command.arg(tool.flag).arg(&found.program).args(["--tool", &found.version])
                }
                Err(reason) => command.args(["--missing", &format!("{}: {reason}", tool.name)]),
            };
        }
        self.run(&mut command)
    }

    /// Command of a step, with SkyPilot's environment for all measured processes.
    fn step(&self, name: &str) -> Command {
        let mut command = Command::new(&self.path);
        Environment::of(For::SkyPilot).apply(&mut command);
        command.arg(name).stdin(Stdio::null());
        command
    }

    fn run(&self, command: &mut Command) -> Result<StepResult> {
        let mut child = OwnedChild::spawn(command).context("starting the benchmark")?;
        let output = child.take_output();
        // The only piped output is the plan, a few lines, which fit into the buffer of the pipe.
        let status = child.wait_unless(|| self.signals.interrupted())?;
        let mut text = String::new();
        if let Some(mut output) = output {
            output.read_to_string(&mut text).context("reading the benchmark's output")?;
        }
        match status.code() {
            Some(0) => Ok(StepResult::Succeeded(text)),
            Some(code) => Ok(StepResult::Failed(u8::try_from(code).unwrap_or(u8::MAX))),
            None => bail!("the benchmark ended with {status}"),
        }
    }
}

/// Flags that decide what `bench client` measures.
fn client_plan(flags: &flags::BenchClient) -> Vec<String> {
    let rounds = flags.rounds.map(|rounds| ["--rounds".to_owned(), rounds.to_string()]);
    let quick = flags.quick.then(|| "--quick".to_owned());
    let without_server = flags.without_server.then(|| "--without-server".to_owned());
    rounds.into_iter().flatten().chain(quick).chain(without_server).collect()
}

/// Path of the running xtask for other processes. Valid also after its file was replaced by
/// a newer build.
fn this_program() -> String {
    format!("/proc/{}/exe", std::process::id())
}

fn bytes(name: &str, size: ByteSize) -> [String; 2] {
    [name.to_owned(), size.as_u64().to_string()]
}

/// Path of the program in cargo's JSON messages. Messages about libraries have none.
fn executable_in(messages: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_cargos_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/x/debug/bench\"}\n\
                        {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(executable_in(messages), Some(PathBuf::from("/x/debug/bench")));
        assert_eq!(executable_in("{\"reason\":\"build-finished\",\"success\":true}"), None);
    }
}
