//! A command under way: what can be seen of it, and done to it.

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

use super::{Finished, Site, soon};

/// A command under way. Its output goes to files: a pipe would be held open by
/// processes that outlive it, which is what some tests are about.
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

    /// Sends a signal to the command itself, and to nothing that it has started.
    pub(crate) fn signal(&self, with: Signal) -> anyhow::Result<()> {
        signal(self.child.id(), with)
    }

    /// Waits until it has ended.
    pub(crate) fn finish(mut self) -> anyhow::Result<Finished> {
        let child = &mut self.child;
        let status = match soon("xtask has ended", || child.try_wait().transpose()) {
            Ok(status) => status?,
            Err(error) => {
                _ = child.kill();
                let said = fs::read_to_string(&self.stderr).unwrap_or_default();
                return Err(error.context(format!("it said:\n{said}")));
            }
        };
        let run = self.new_run().map(|path| RunDir::open(&path)).transpose()?;
        let stdout = fs::read(&self.stdout)?;
        let stderr = fs::read(&self.stderr)?;
        Ok(Finished { output: Output { status, stdout, stderr }, run })
    }

    /// Its pid.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, though nobody has waited for it yet.
    pub(crate) fn has_ended(&self) -> bool {
        Process::look_up(self.child.id()).is_none()
    }

    /// Waits until it has said these words about its progress.
    pub(crate) fn says(&self, words: &str) -> anyhow::Result<()> {
        soon(&format!("it says `{words}`"), || {
            fs::read_to_string(&self.stderr).ok()?.contains(words).then_some(())
        })
    }

    /// The directory of the run that this command makes.
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
            let marks = run.read_events().ok()?;
            let begun = Event::PhaseBegan(phase);
            marks.values.iter().any(|mark| mark.event == begun).then_some(())
        })?;
        Ok(run)
    }

    /// Waits until a scenario has come to the start line of the first segment, and
    /// the server has a process that works for it.
    pub(crate) fn scenario(&self, id: ScenarioId) -> anyhow::Result<u32> {
        let run = self.phase(Phase::Load)?;
        let place = run.barrier().join(format!("0-{}.json", id.file_stem()));
        soon(&format!("{id} is at it"), || {
            self.executors().first()?;
            let process: ProcessIdentity = read_json(&place, "process identity").ok()?;
            Some(process.pid)
        })
    }

    /// Waits for the health probe's process.
    pub(crate) fn probe(&self) -> anyhow::Result<u32> {
        self.process("the health probe runs", |line| {
            line.contains(" probe::") && line.contains(" --exact")
        })
    }

    /// Waits for the profiler's process.
    pub(crate) fn profiler(&self) -> anyhow::Result<u32> {
        self.process("the profiler runs", |line| line.contains(" __profile "))
    }

    /// The server's executors that have taken their title.
    pub(crate) fn executors(&self) -> Vec<Process> {
        let mut processes = self.site.processes();
        processes.retain(|process| process.command_line.starts_with("SkyPilot:executor:"));
        processes
    }

    fn process(&self, what: &str, is_it: impl Fn(&str) -> bool) -> anyhow::Result<u32> {
        soon(what, || {
            let found = self.site.processes();
            Some(found.iter().find(|process| is_it(&process.command_line))?.pid)
        })
    }
}

/// Sends a signal to one process.
pub(crate) fn signal(pid: u32, with: Signal) -> anyhow::Result<()> {
    kill(Pid::from_raw(i32::try_from(pid)?), with).with_context(|| format!("sending {with}"))
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // What it has started is ended by the site.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
