//! Running candidate: a process that watches a process tree, with its overhead measured
//! from outside.
//!
//! CPU time is read in the same way for all candidates, between the first sample and the
//! end, from `/proc/PID/task/*/schedstat`, which counts nanoseconds per thread.
//! `/proc/PID/stat` would be too coarse: it counts in units of 10 ms, far more than one
//! sample of skyload's profiler. The CPU time that each candidate reports itself is kept for
//! comparison.

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
use skyload::profiler::protocol::{self, Command as ProfilerCommand, Notice};
use skyload::record::profile::ProcessTable;
use skyload::record::read;
use skyload::units::{self, ByteSize};
use tempfile::TempDir;

use crate::candidate::{Candidate, Kind};
use crate::line_process::LineProcess;
use crate::statistics::Micros;

const PSUTIL_LOOP: &str = include_str!("psutil_loop.py");

/// Running candidate. It exits at the end of its input, so it does not outlive this process.
pub(crate) struct Watcher {
    process: Process,
    pid: u32,
    began: Instant,
    cpu_before: Duration,
}

/// Programs of the candidates, besides this one.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// Program whose `__profile` command is skyload's profiler.
    pub(crate) xtask: PathBuf,
    /// Python interpreter with psutil.
    pub(crate) python: PathBuf,
}

enum Process {
    Profiler { process: LineProcess, folder: TempDir },
    Loop(LineProcess),
}

/// Overhead of a candidate between its first sample and its end, and the peaks it reports.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) cpu: Duration,
    pub(crate) samples: u64,
    pub(crate) time: Duration,
    /// High-water mark (VmHWM) of the candidate itself.
    pub(crate) memory: ByteSize,
    /// Reported peaks of the watched processes, by pid.
    pub(crate) peaks: HashMap<u32, ByteSize>,
    pub(crate) account: Account,
}

impl Observation {
    /// CPU time per sample; `None` without a sample.
    pub(crate) fn micros_per_sample(&self) -> Option<Micros> {
        Micros::each(self.cpu, self.samples)
    }
}

/// CPU time of a candidate since its start, from two sources.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Account {
    /// CPU time that the candidate reports itself, in seconds.
    #[serde(with = "units::seconds")]
    pub(crate) own: Duration,
    /// CPU time read from `/proc` just before the end, in seconds.
    #[serde(with = "units::seconds")]
    pub(crate) from_outside: Duration,
}

impl Account {
    /// Whether both sources agree within 10 %, or 20 ms for the work at the end, which only
    /// the candidate's own figure includes.
    pub(crate) fn agrees(self) -> bool {
        const END_WORK: Duration = Duration::from_millis(20);
        self.own.abs_diff(self.from_outside) <= END_WORK.max(self.own / 10)
    }
}

impl Watcher {
    /// Starts a candidate on the tree of `root`, and waits for its first sample.
    pub(crate) fn start(
        candidate: &Candidate,
        root: ProcessIdentity,
        programs: &Programs,
    ) -> Result<Self> {
        let mut command = match candidate.kind {
            Kind::Skyload { asked, .. } => {
                // `Self::profiler` sets the paths of the files.
                let options = ProfilerOptions {
                    interval: candidate.interval,
                    level: asked,
                    ..ProfilerOptions::new(root, PathBuf::new(), PathBuf::new())
                };
                return Self::profiler(options, &programs.xtask);
            }
            Kind::Psutil => {
                let mut command = Command::new(&programs.python);
                // With `-c`, Python imports modules from the current directory before installed
                // ones.
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
        Self::running(Process::Loop(start_loop(command, &candidate.to_string())?))
    }

    /// Starts skyload's profiler, which is the `__profile` command of `xtask`.
    pub(crate) fn profiler(options: ProfilerOptions, xtask: &Path) -> Result<Self> {
        let folder = tempfile::tempdir().context("creating a directory for a profile")?;
        let [samples, processes] =
            ["samples.jsonl", "processes.json"].map(|name| folder.path().join(name));
        let options = ProfilerOptions { samples, processes, ..options };
        let mut command = Command::new(xtask);
        command
            .arg("__profile")
            .arg(serde_json::to_string(&options).context("writing the profiler's options")?);
        let mut process = LineProcess::start(command, "profiler")?;
        wait_for(&mut process, &Notice::Ready).context("starting the profiler")?;
        Self::running(Process::Profiler { process, folder })
    }

    fn running(process: Process) -> Result<Self> {
        let pid = match &process {
            Process::Profiler { process, .. } | Process::Loop(process) => process.pid(),
        };
        let began = Instant::now();
        Ok(Self { process, pid, began, cpu_before: cpu_of(pid)? })
    }

    /// Ends the candidate, and returns its overhead and results.
    pub(crate) fn finish(self) -> Result<Observation> {
        // Before the end: afterwards there is no process to read from.
        let (from_outside, memory) = (cpu_of(self.pid)?, high_water_mark(self.pid)?);
        let time = self.began.elapsed();
        let (samples, own, peaks) = match self.process {
            Process::Profiler { mut process, folder } => {
                process.send(&ProfilerCommand::Finish)?;
                wait_for(&mut process, &Notice::Finished).context("ending the profiler")?;
                process.finish()?;
                let table: ProcessTable = read(&folder.path().join("processes.json"))?;
                let peaks = table
                    .processes
                    .iter()
                    .filter_map(|record| Some((record.identity.pid, record.peak?)));
                let overhead = table.profiler;
                // The profiler takes its last sample because of `Finish`, after the reading of
                // the CPU time above.
                (overhead.samples.saturating_sub(1), overhead.cpu, peaks.collect())
            }
            Process::Loop(process) => {
                let result = loop_result(process)?;
                (result.samples, result.cpu, result.peaks)
            }
        };
        Ok(Observation {
            cpu: from_outside.saturating_sub(self.cpu_before),
            // The first sample was taken before `cpu_before` was read.
            samples: samples.saturating_sub(1),
            time,
            memory,
            peaks,
            account: Account { own, from_outside },
        })
    }
}

/// Waits for a notice of the profiler, ignoring all others.
fn wait_for(process: &mut LineProcess, expected: &Notice) -> Result<()> {
    loop {
        let line = process.next_line()?.context("the profiler has exited")?;
        if protocol::parse::<Notice>(&line).is_ok_and(|notice| notice == *expected) {
            return Ok(());
        }
    }
}

/// Result of a psutil or sysinfo loop.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct LoopResult {
    #[serde(rename = "ticks")]
    pub(crate) samples: u64,
    #[serde(rename = "cpu-seconds", with = "units::seconds")]
    pub(crate) cpu: Duration,
    pub(crate) peaks: HashMap<u32, ByteSize>,
}

/// Starts a loop, and waits for the "ready" that follows its first sample.
fn start_loop(command: Command, name: &str) -> Result<LineProcess> {
    let mut process = LineProcess::start(command, name)?;
    let line = process.next_line().with_context(|| format!("starting the {name}"))?;
    let line = line.unwrap_or_default();
    ensure!(line == "ready", "starting the {name}: expected `ready`, got `{line}`");
    Ok(process)
}

/// Ends a loop by closing its input, and reads its result.
fn loop_result(mut process: LineProcess) -> Result<LoopResult> {
    process.close();
    let line = process.next_line().context("waiting for a loop's result")?.unwrap_or_default();
    process.finish()?;
    serde_json::from_str(&line).with_context(|| format!("reading a loop's result `{line}`"))
}

/// CPU time of all threads of a process until now.
fn cpu_of(pid: u32) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let reading = || format!("reading the CPU time of pid {pid} from `{folder}`");
    let mut nanos = 0;
    for thread in fs::read_dir(&folder).with_context(reading)? {
        let path = thread.with_context(reading)?.path().join("schedstat");
        let text = fs::read_to_string(path).with_context(reading)?;
        // The first field is the time on the CPU, in nanoseconds.
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
    fn accounts_agree_within_ten_percent_or_20_ms() {
        assert!(account(70, 55).agrees());
        assert!(account(1000, 920).agrees());
        assert!(!account(70, 30).agrees());
        assert!(!account(1000, 1300).agrees());
    }

    #[test]
    fn cpu_time_and_peak_of_this_process_are_read() {
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
    fn a_loop_that_does_not_start_is_an_error_with_its_output() {
        let error = start_loop(shell("echo no module named psutil"), "psutil loop").err().unwrap();
        assert_eq!(
            error.to_string(),
            "starting the psutil loop: expected `ready`, got `no module named psutil`"
        );
    }

    #[test]
    fn a_loop_prints_its_result_when_its_input_ends() {
        let result = r#"{"ticks": 3, "cpu-seconds": 0.25, "peaks": {"42": 1048576}}"#;
        let script = format!("echo ready; read end; echo '{result}'");
        let result = loop_result(start_loop(shell(&script), "psutil loop").unwrap()).unwrap();
        assert_eq!((result.samples, result.cpu), (3, Duration::from_millis(250)));
        assert_eq!(result.peaks[&42], ByteSize::mib(1));
    }
}
