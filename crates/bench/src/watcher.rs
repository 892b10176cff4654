//! A candidate at work: a process that watches the tree of a root, and whose own
//! cost is read from outside.
//!
//! The CPU time of all candidates is read in the same way, between the first tick and the
//! end: what its threads have run, by the kernel's account of nanoseconds
//! (`/proc/PID/task/*/schedstat`). `/proc/PID/stat` counts in hundredths of a
//! second, of which one of our ticks takes a small part. What each says of itself
//! is kept for comparison.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use fake_sky::title::THIS_PROGRAM;
use serde::{Deserialize, Serialize};
use skyload::ids::ProcessIdentity;
use skyload::profiler::ProfilerOptions;
use skyload::profiler::protocol::{self, Command as Order, Notice};
use skyload::record::profile::ProcessTable;
use skyload::record::read;
use skyload::units::{self, ByteSize};
use tempfile::TempDir;

use crate::candidate::{Candidate, Kind};
use crate::line_process::LineProcess;
use crate::statistics::Micros;

const PSUTIL_LOOP: &str = include_str!("psutil_loop.py");

/// A candidate at work. It ends with its owner: all of them read from us.
pub(crate) struct Watcher {
    process: Process,
    pid: u32,
    began: Instant,
    cpu_before: Duration,
}

/// The programs that candidates are made of, beside this one.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// Its `__profile` is our profiler.
    pub(crate) xtask: PathBuf,
    /// A Python that has psutil.
    pub(crate) python: PathBuf,
}

enum Process {
    Profiler { process: LineProcess, folder: TempDir },
    Loop(LineProcess),
}

/// What a candidate did, from its first tick to its end.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) cpu: Duration,
    pub(crate) ticks: u64,
    pub(crate) time: Duration,
    /// Its own peak memory.
    pub(crate) memory: ByteSize,
    /// What it says of others, by pid.
    pub(crate) peaks: HashMap<u32, ByteSize>,
    pub(crate) account: Account,
}

impl Watched {
    /// CPU per tick; `None` where there was no tick.
    pub(crate) fn micros_per_tick(&self) -> Option<Micros> {
        Micros::per_tick(self.cpu, self.ticks)
    }
}

/// CPU time of a candidate's whole life, by two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Account {
    /// As it says itself.
    #[serde(with = "units::seconds")]
    pub(crate) own: Duration,
    /// As was read from outside, just before it was told to end.
    #[serde(with = "units::seconds")]
    pub(crate) from_outside: Duration,
}

impl Account {
    /// Whether both say the same, but for the end that only one of them has.
    pub(crate) fn agrees(self) -> bool {
        const END_TAKES: Duration = Duration::from_millis(20);
        self.own.abs_diff(self.from_outside) <= END_TAKES.max(self.own / 10)
    }
}

impl Watcher {
    /// Starts a candidate on the tree of `root`, and waits for its first tick.
    pub(crate) fn start(
        candidate: &Candidate,
        root: ProcessIdentity,
        programs: &Programs,
    ) -> Result<Self> {
        let mut command = match candidate.kind {
            Kind::Skyload { asked, .. } => {
                // Where it writes is decided below.
                let options = ProfilerOptions {
                    interval: candidate.interval,
                    level: asked,
                    ..ProfilerOptions::new(root, PathBuf::new(), PathBuf::new())
                };
                return Self::profiler(options, &programs.xtask);
            }
            Kind::Psutil => {
                let mut command = Command::new(&programs.python);
                command.current_dir("/").args(["-c", PSUTIL_LOOP]);
                command
            }
            Kind::Sysinfo => {
                let mut command = Command::new(THIS_PROGRAM);
                command.arg("sysinfo-loop");
                command
            }
        };
        command.arg(candidate.interval.as_millis().to_string());
        Self::at_work(Process::Loop(ready_loop(command, &candidate.to_string())?))
    }

    /// Starts our profiler, which is the `__profile` of `xtask`.
    pub(crate) fn profiler(options: ProfilerOptions, xtask: &Path) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a folder for a profile")?;
        let [samples, processes] =
            ["samples.jsonl", "processes.json"].map(|name| folder.path().join(name));
        let options = ProfilerOptions { samples, processes, ..options };
        let mut command = Command::new(xtask);
        command
            .arg("__profile")
            .arg(serde_json::to_string(&options).context("writing the profiler's options")?);
        let mut process = LineProcess::start(command, "profiler")?;
        wait_for(&mut process, &Notice::Ready).context("starting the profiler")?;
        Self::at_work(Process::Profiler { process, folder })
    }

    fn at_work(process: Process) -> Result<Self> {
        let pid = match &process {
            Process::Profiler { process, .. } | Process::Loop(process) => process.pid(),
        };
        let began = Instant::now();
        Ok(Self { process, pid, began, cpu_before: cpu_of(pid)? })
    }

    /// Ends it, and says what it did.
    pub(crate) fn finish(self) -> Result<Watched> {
        let (from_outside, memory) = (cpu_of(self.pid)?, high_water_mark(self.pid)?);
        let time = self.began.elapsed();
        let (ticks, own, peaks) = match self.process {
            Process::Profiler { mut process, folder } => {
                process.say(&Order::Finish)?;
                wait_for(&mut process, &Notice::Finished).context("ending the profiler")?;
                process.finish()?;
                let table: ProcessTable = read(&folder.path().join("processes.json"))?;
                let peaks = table
                    .processes
                    .iter()
                    .filter_map(|record| Some((record.identity.pid, record.peak?)));
                let cost = table.profiler;
                // Its last tick is the end's, and belongs to no interval.
                (cost.samples.saturating_sub(1), cost.cpu, peaks.collect())
            }
            Process::Loop(process) => {
                let result = loop_result(process)?;
                (result.ticks, result.cpu, result.peaks)
            }
        };
        Ok(Watched {
            cpu: from_outside.saturating_sub(self.cpu_before),
            // The first one came before we began to look.
            ticks: ticks.saturating_sub(1),
            time,
            memory,
            peaks,
            account: Account { own, from_outside },
        })
    }
}

/// Waits for what the profiler is to say next.
fn wait_for(process: &mut LineProcess, wanted: &Notice) -> Result<()> {
    loop {
        let line = process.line()?.context("it has ended")?;
        if protocol::parse::<Notice>(&line).is_ok_and(|notice| notice == *wanted) {
            return Ok(());
        }
    }
}

/// What a loop says at its end.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LoopResult {
    pub(crate) ticks: u64,
    #[serde(rename = "cpu-seconds", with = "units::seconds")]
    pub(crate) cpu: Duration,
    pub(crate) peaks: HashMap<u32, ByteSize>,
}

/// Starts a loop, which says "ready" after its first tick.
fn ready_loop(command: Command, what: &str) -> Result<LineProcess> {
    let mut process = LineProcess::start(command, what)?;
    let line = process.line().with_context(|| format!("starting the {what}"))?;
    let line = line.unwrap_or_default();
    ensure!(line == "ready", "starting the {what}: it said `{line}`");
    Ok(process)
}

/// Ends a loop by the end of its input, and reads its result.
fn loop_result(mut process: LineProcess) -> Result<LoopResult> {
    process.close();
    let line = process.line().context("waiting for a loop's result")?.unwrap_or_default();
    process.finish()?;
    serde_json::from_str(&line).with_context(|| format!("reading a loop's result `{line}`"))
}

/// What all threads of a process have run until now.
fn cpu_of(pid: u32) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let reading = || format!("reading what pid {pid} has run from `{folder}`");
    let mut nanos = 0;
    for thread in fs::read_dir(&folder).with_context(reading)? {
        let path = thread.with_context(reading)?.path().join("schedstat");
        let text = fs::read_to_string(path).with_context(reading)?;
        nanos += text.split(' ').next().unwrap_or_default().parse::<u64>().with_context(reading)?;
    }
    Ok(Duration::from_nanos(nanos))
}

fn high_water_mark(pid: u32) -> Result<ByteSize> {
    let process = fake_sky::procfs::Process::look_up(pid);
    let kib = process.and_then(|process| process.memory_kib("VmHWM"));
    Ok(ByteSize(kib.with_context(|| format!("reading the peak memory of pid {pid}"))? << 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(own: u64, from_outside: u64) -> Account {
        let millis = Duration::from_millis;
        Account { own: millis(own), from_outside: millis(from_outside) }
    }

    #[test]
    fn accounts_differ_when_they_do_by_more_than_an_end_takes() {
        assert!(account(70, 55).agrees());
        assert!(account(1000, 920).agrees());
        assert!(!account(70, 30).agrees());
        assert!(!account(1000, 1300).agrees());
    }

    #[test]
    fn what_this_process_has_run_and_held_is_known() {
        let me = std::process::id();
        let usage = skyload::usage::Usage::own().cpu;
        assert!(cpu_of(me).unwrap() + Duration::from_millis(20) >= usage);
        assert!(high_water_mark(me).unwrap() > ByteSize::mib(1));
    }

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_loop_that_does_not_get_ready_is_named_with_what_it_said() {
        let error = ready_loop(shell("echo no module named psutil"), "psutil loop").err().unwrap();
        assert_eq!(error.to_string(), "starting the psutil loop: it said `no module named psutil`");
    }

    #[test]
    fn a_loop_says_what_it_saw_when_its_input_ends() {
        let result = r#"{"ticks": 3, "cpu-seconds": 0.25, "peaks": {"42": 1048576}}"#;
        let script = format!("echo ready; read end; echo '{result}'");
        let result = loop_result(ready_loop(shell(&script), "psutil loop").unwrap()).unwrap();
        assert_eq!((result.ticks, result.cpu), (3, Duration::from_millis(250)));
        assert_eq!(result.peaks[&42], ByteSize::mib(1));
    }
}
