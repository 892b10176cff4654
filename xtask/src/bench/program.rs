//! The program `bench` of `crates/bench`: built, and run step by step.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use host::environment::{Environment, For};
use host::process::child::OwnedChild;
use host::process::command::output;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use serde_json::Value;
use skyload::plan::Machine;
use skyload::profiler::ProfilerOptions;
use skyload::record::RunDir;
use skyload::units::ByteSize;

use super::psutil::Psutil;
use crate::flags;
use crate::nextest::without_outer_cargo;
use crate::server::ServerSession;

/// The program, ready to be run.
pub(super) struct Program<'a> {
    path: PathBuf,
    signals: &'a Signals,
}

/// How a step ended; it has said itself what went wrong.
pub(super) enum Ended {
    /// With success, after it wrote this to its standard output, if that was kept.
    Well(String),
    /// With this exit code.
    Badly(u8),
}

impl<'a> Program<'a> {
    /// Builds it as this program was built.
    pub(super) fn build(
        workspace: &Workspace,
        signals: &'a Signals,
        progress: Progress,
    ) -> Result<Self> {
        let step = progress.step("Building the benchmark");
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--package", "bench", "--bin", "bench"])
            .args(["--message-format", "json-render-diagnostics"])
            .args((!cfg!(debug_assertions)).then_some("--release"))
            .current_dir(&workspace.root);
        let output = output(without_outer_cargo(&mut cargo)).context("starting cargo")?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("building the benchmark failed ({}):\n{}", output.status, words.trim_end());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let path = executable_in(&text).context("finding what cargo has built of the benchmark")?;
        step.done("built");
        Ok(Self { path, signals })
    }

    /// Finds out how much will be measured, if this machine can hold it.
    pub(super) fn plan(&self, flags: &flags::BenchProfiler, machine: &Machine) -> Result<Ended> {
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

    /// Measures the effect of profiling on a server.
    pub(super) fn effect(&self, run: &RunDir, server: &ServerSession) -> Result<Ended> {
        let addresses = server.addresses.context("finding the processes of the server")?;
        let profile = ProfilerOptions {
            api_port: Some(addresses.api_port),
            queue_port: Some(addresses.queue_port),
            ..ProfilerOptions::new(addresses.root, run.samples(), run.processes())
        };
        let client = serde_json::to_string(&server.client).context("writing how it is reached")?;
        let profile = serde_json::to_string(&profile).context("writing the profiler's options")?;
        let mut command = self.step("effect");
        command.arg(run.path()).args(["--xtask", &this_program()]);
        command.args(["--release", &server.server.version]);
        command.args(["--client", &client]).args(["--profile", &profile]);
        self.run(&mut command)
    }

    /// Measures what profiling costs and what it catches, and shows all results.
    pub(super) fn profiler(
        &self,
        run: &RunDir,
        psutil: &Psutil,
        machine: &Machine,
    ) -> Result<Ended> {
        let mut command = self.step("profiler");
        command.arg(run.path()).args(["--xtask", &this_program()]);
        command.arg("--python").arg(&psutil.python).args(["--psutil", &psutil.versions]);
        command.args(bytes("--memory", machine.memory_total));
        self.run(&mut command)
    }

    /// All that is measured finds what SkyPilot finds in its environment.
    fn step(&self, name: &str) -> Command {
        let mut command = Command::new(&self.path);
        Environment::of(For::SkyPilot).apply(&mut command);
        command.arg(name).stdin(Stdio::null());
        command
    }

    fn run(&self, command: &mut Command) -> Result<Ended> {
        let mut child = OwnedChild::spawn(command).context("starting the benchmark")?;
        let output = child.take_output();
        let status = child.wait_unless(|| self.signals.interrupted())?;
        let mut text = String::new();
        if let Some(mut output) = output {
            output.read_to_string(&mut text).context("reading what the benchmark says")?;
        }
        match status.code() {
            Some(0) => Ok(Ended::Well(text)),
            Some(code) => Ok(Ended::Badly(u8::try_from(code).unwrap_or(u8::MAX))),
            None => bail!("the benchmark ended with {status}"),
        }
    }
}

/// This very program, for another one: also where its file was replaced by a newer build.
fn this_program() -> String {
    format!("/proc/{}/exe", std::process::id())
}

fn bytes(name: &str, size: ByteSize) -> [String; 2] {
    [name.to_owned(), size.as_u64().to_string()]
}

/// The program in cargo's messages; those about libraries name none.
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
