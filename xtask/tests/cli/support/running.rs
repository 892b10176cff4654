//! Running command: waiting for its progress, and sending signals.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use anyhow::Context as _;
use fake_sky::procfs::Process;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use skyload::ids::ProcessIdentity;
use skyload::record::events::Event;
use skyload::record::profile::Phase;
use skyload::record::{RunDir, read_json};
use skyload::scenario::ScenarioId;

use super::{Finished, Site, TIMEOUT, soon, within};

/// Running command. Output goes to files, since processes that outlive the command, as in some
/// tests, would hold a pipe open.
pub(crate) struct Running<'a> {
    site: &'a Site,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    runs_before: Vec<PathBuf>,
}

impl<'a> Running<'a> {
    pub(super) fn start(
        site: &'a Site,
        mut command: Command,
        stdout_instead: Option<Stdio>,
        number: u32,
    ) -> anyhow::Result<Self> {
        let stdout = site.path(format!("{number}.stdout"));
        let stderr = site.path(format!("{number}.stderr"));
        let runs_before = site.runs();
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout_instead.unwrap_or(File::create(&stdout)?.into()))
            .stderr(File::create(&stderr)?)
            .spawn()
            .context("starting xtask")?;
        Ok(Self { site, child, stdout, stderr, runs_before })
    }

    /// Sends a signal to the command, but not to its children.
    pub(crate) fn signal(&self, with: Signal) -> anyhow::Result<()> {
        signal(self.child.id(), with)
    }

    /// Waits until the command has ended.
    pub(crate) fn finish(self) -> anyhow::Result<Finished> {
        self.finish_runs(1)
    }

    /// Waits until a command that makes several runs has ended.
    pub(crate) fn finish_runs(mut self, runs: u32) -> anyhow::Result<Finished> {
        let child = &mut self.child;
        let status =
            match within(TIMEOUT * runs, "xtask has ended", || child.try_wait().transpose()) {
                Ok(status) => status?,
                Err(error) => {
                    _ = child.kill();
                    let stderr = fs::read_to_string(&self.stderr).unwrap_or_default();
                    return Err(error.context(format!("standard error:\n{stderr}")));
                }
            };
        let run = self.new_run().map(|path| RunDir::open(&path)).transpose()?;
        let stdout = fs::read(&self.stdout)?;
        let stderr = fs::read(&self.stderr)?;
        Ok(Finished { output: Output { status, stdout, stderr }, run })
    }

    /// Process id of the command.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the command has ended. Does not reap its process.
    pub(crate) fn has_ended(&self) -> bool {
        Process::look_up(self.child.id()).is_none()
    }

    /// Standard error so far.
    pub(crate) fn stderr(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(&self.stderr)?)
    }

    /// Waits until the command has written this text to standard error.
    pub(crate) fn says(&self, text: &str) -> anyhow::Result<()> {
        self.says_after_runs(1, text)
    }

    /// Waits until a command that makes several runs before has written this text.
    pub(crate) fn says_after_runs(&self, runs: u32, text: &str) -> anyhow::Result<()> {
        within(TIMEOUT * runs, &format!("standard error contains `{text}`"), || {
            self.stderr().ok()?.contains(text).then_some(())
        })
    }

    /// Directory of the command's run. Waits until it exists.
    pub(crate) fn run_dir(&self) -> anyhow::Result<RunDir> {
        let path = soon("the run has a directory", || self.new_run())?;
        Ok(RunDir::open(&path)?)
    }

    fn new_run(&self) -> Option<PathBuf> {
        self.site.runs().into_iter().find(|run| !self.runs_before.contains(run))
    }

    /// Waits until a phase has begun.
    pub(crate) fn phase(&self, phase: Phase) -> anyhow::Result<RunDir> {
        let run = self.run_dir()?;
        soon(&format!("the {} has begun", phase.name()), || {
            let events = run.read_events().ok()?;
            let begun = Event::PhaseBegan(phase);
            events.values.iter().any(|entry| entry.event == begun).then_some(())
        })?;
        Ok(run)
    }

    /// Pid of a scenario. Waits until the scenario is at the barrier of its first segment and the
    /// server has an executor.
    pub(crate) fn scenario(&self, id: ScenarioId) -> anyhow::Result<u32> {
        let run = self.phase(Phase::Load)?;
        let place = run.barrier().join(format!("0-{}.json", id.file_stem()));
        soon(&format!("{id} is running"), || {
            self.executors().first()?;
            let process: ProcessIdentity = read_json(&place, "process identity").ok()?;
            Some(process.pid)
        })
    }

    /// Pid of the health probe. Waits until it runs.
    pub(crate) fn probe(&self) -> anyhow::Result<u32> {
        self.process("the health probe runs", |line| {
            line.contains(" probe::") && line.contains(" --exact")
        })
    }

    /// Pid of the profiler. Waits until it runs.
    pub(crate) fn profiler(&self) -> anyhow::Result<u32> {
        self.process("the profiler runs", |line| line.contains(" __profile "))
    }

    /// Executors of the server that have set their title.
    pub(crate) fn executors(&self) -> Vec<Process> {
        let mut processes = self.site.processes();
        processes.retain(|process| process.command_line.starts_with("SkyPilot:executor:"));
        processes
    }

    fn process(&self, condition: &str, matches: impl Fn(&str) -> bool) -> anyhow::Result<u32> {
        soon(condition, || {
            let found = self.site.processes();
            Some(found.iter().find(|process| matches(&process.command_line))?.pid)
        })
    }
}

/// Sends a signal to one process.
pub(crate) fn signal(pid: u32, with: Signal) -> anyhow::Result<()> {
    kill(Pid::from_raw(i32::try_from(pid)?), with).with_context(|| format!("sending {with}"))
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // The site kills the command's children.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
