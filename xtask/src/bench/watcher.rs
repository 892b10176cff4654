//! A contestant at work: a process that watches the tree of a root, and whose own
//! cost is read from outside.
//!
//! Everybody's CPU time is read in the same way, between its first tick and its
//! end: what its threads have run, by the kernel's account of nanoseconds
//! (`/proc/PID/task/*/schedstat`). `/proc/PID/stat` counts in hundredths of a
//! second, of which one of our ticks takes a small part. What each says of itself
//! is kept for comparison.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use skyload::ids::ProcessIdentity;
use skyload::profiler::ProfilerOptions;
use skyload::record::profile::ProcessTable;
use skyload::record::read;
use skyload::units::{self, ByteSize};
use tempfile::TempDir;

use super::contestant::{Contestant, Kind};
use crate::environment::{Environment, For};
use crate::profiler::ProfilerProcess;
use crate::server::Addresses;
use crate::workspace::own_program;

/// A loop must answer within this, even on a machine that is saturated: a tick of psutil's
/// over hundreds of processes takes a fraction of a second on an idle one.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

const PSUTIL_LOOP: &str = include_str!("psutil_loop.py");

/// A contestant at work. It ends with its owner: all of them read from us.
pub(super) struct Watcher {
    process: Process,
    pid: u32,
    began: Instant,
    cpu_before: Duration,
}

enum Process {
    Profiler { process: ProfilerProcess, folder: TempDir },
    Loop(LoopProcess),
}

/// What a contestant did, from its first tick to its end.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) cpu: Duration,
    pub(super) ticks: u64,
    pub(super) time: Duration,
    /// Its own peak memory.
    pub(super) memory: ByteSize,
    /// What it says of others, by pid.
    pub(super) peaks: HashMap<u32, ByteSize>,
    pub(super) account: Account,
}

/// CPU time of a contestant's whole life, by two accounts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Account {
    /// As it says itself.
    #[serde(with = "units::seconds")]
    pub(super) own: Duration,
    /// As was read from outside, just before it was told to end.
    #[serde(with = "units::seconds")]
    pub(super) from_outside: Duration,
}

impl Account {
    /// Whether both say the same, but for the end that only one of them has.
    pub(super) fn agrees(self) -> bool {
        const END_TAKES: Duration = Duration::from_millis(20);
        self.own.abs_diff(self.from_outside) <= END_TAKES.max(self.own / 10)
    }
}

impl Watcher {
    /// Starts a contestant on the tree of `root`, and waits for its first tick.
    pub(super) fn start(
        contestant: &Contestant,
        root: ProcessIdentity,
        python: &Path,
    ) -> Result<Self> {
        let process = match contestant.kind {
            Kind::Skyload { .. } => profiler(contestant, |options| options, root)?,
            Kind::Psutil => {
                let mut command = Command::new(python);
                Environment::of(For::SkyPilot).apply(&mut command);
                command.current_dir("/").args(["-c", PSUTIL_LOOP]);
                Process::Loop(LoopProcess::start(command, contestant)?)
            }
            Kind::Sysinfo => {
                let mut command = Command::new(own_program()?);
                command.arg("__sysinfo-loop");
                Process::Loop(LoopProcess::start(command, contestant)?)
            }
        };
        Self::at_work(process)
    }

    /// Starts our profiler on a server.
    pub(super) fn of_server(contestant: &Contestant, server: Addresses) -> Result<Self> {
        let with_ports = |options: ProfilerOptions| ProfilerOptions {
            api_port: Some(server.api_port),
            queue_port: Some(server.queue_port),
            ..options
        };
        Self::at_work(profiler(contestant, with_ports, server.root)?)
    }

    fn at_work(process: Process) -> Result<Self> {
        let pid = match &process {
            Process::Profiler { process, .. } => process.pid().context("finding the profiler")?,
            Process::Loop(process) => process.child.id(),
        };
        let began = Instant::now();
        Ok(Self { process, pid, began, cpu_before: cpu_of(pid)? })
    }

    /// Ends it, and says what it did.
    pub(super) fn finish(self) -> Result<Watched> {
        let (from_outside, memory) = (cpu_of(self.pid)?, high_water_mark(self.pid)?);
        let time = self.began.elapsed();
        let (ticks, own, peaks) = match self.process {
            Process::Profiler { process, folder } => {
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
                let result = process.finish()?;
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

fn profiler(
    contestant: &Contestant,
    adjust: impl FnOnce(ProfilerOptions) -> ProfilerOptions,
    root: ProcessIdentity,
) -> Result<Process> {
    let Kind::Skyload { asked, .. } = contestant.kind else {
        anyhow::bail!("{contestant} is not our profiler");
    };
    let folder = tempfile::tempdir().context("making a folder for a profile")?;
    let [samples, processes] =
        ["samples.jsonl", "processes.json"].map(|name| folder.path().join(name));
    let options = ProfilerOptions {
        interval: contestant.interval,
        level: asked,
        ..ProfilerOptions::new(root, samples, processes)
    };
    Ok(Process::Profiler { process: ProfilerProcess::spawn(&adjust(options))?, folder })
}

/// What a loop says at its end.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LoopResult {
    pub(super) ticks: u64,
    #[serde(rename = "cpu-seconds", with = "units::seconds")]
    pub(super) cpu: Duration,
    pub(super) peaks: HashMap<u32, ByteSize>,
}

/// A loop in a process of its own: it says "ready", and ends when its input does.
struct LoopProcess {
    child: Child,
    input: Option<ChildStdin>,
    /// Its lines, as they come; closed when it says no more.
    lines: Receiver<std::io::Result<String>>,
}

impl LoopProcess {
    fn start(mut command: Command, contestant: &Contestant) -> Result<Self> {
        let starting = || format!("starting the {contestant}");
        let mut child = command
            .arg(contestant.interval.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A terminal's Ctrl-C is for us, who then end the loop.
            .process_group(0)
            .spawn()
            .with_context(starting)?;
        let input = child.stdin.take();
        let output = child.stdout.take().map(BufReader::new);
        let (sender, lines) = channel();
        let mut process = Self { child, input, lines };
        let output = output.with_context(starting)?;
        // Reading has no limit of time, receiving has.
        std::thread::spawn(move || output.lines().try_for_each(|line| sender.send(line)));
        let line = process.line(ANSWER_WITHIN).with_context(starting)?;
        ensure!(line == "ready", "starting the {contestant}: it said `{line}`");
        Ok(process)
    }

    fn line(&mut self, limit: Duration) -> Result<String> {
        let line = match self.lines.recv_timeout(limit) {
            Ok(line) => line.context("reading what it says")?,
            Err(RecvTimeoutError::Disconnected) => String::new(),
            Err(RecvTimeoutError::Timeout) => {
                bail!("it said nothing within {}", humantime::format_duration(limit))
            }
        };
        Ok(line.trim_end().to_owned())
    }

    fn finish(mut self) -> Result<LoopResult> {
        self.input = None;
        let line = self.line(ANSWER_WITHIN).context("waiting for a loop's result")?;
        let status = self.child.wait().context("waiting for the end of a loop")?;
        ensure!(status.success(), "a loop ended with {status}");
        serde_json::from_str(&line).with_context(|| format!("reading a loop's result `{line}`"))
    }
}

impl Drop for LoopProcess {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
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

    #[test]
    fn a_loop_that_does_not_get_ready_is_named_with_what_it_said() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo no module named psutil"]);
        let interval = Duration::from_millis(200);
        let contestant = Contestant { kind: Kind::Psutil, interval };
        let error = LoopProcess::start(command, &contestant).err().unwrap().to_string();
        assert_eq!(error, "starting the psutil loop: it said `no module named psutil`");
    }

    #[test]
    fn a_loop_that_says_nothing_is_not_waited_for_for_ever() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo ready; exec sleep 600"]);
        let interval = Duration::from_millis(200);
        let contestant = Contestant { kind: Kind::Psutil, interval };
        let mut process = LoopProcess::start(command, &contestant).unwrap();
        let error = process.line(Duration::from_millis(10)).unwrap_err().to_string();
        assert_eq!(error, "it said nothing within 10ms");
    }

    #[test]
    fn a_loop_says_what_it_saw_when_its_input_ends() {
        let mut command = Command::new("/bin/sh");
        let result = r#"{"ticks": 3, "cpu-seconds": 0.25, "peaks": {"42": 1048576}}"#;
        command.args(["-c", &format!("echo ready; read end; echo '{result}'")]);
        let interval = Duration::from_millis(200);
        let contestant = Contestant { kind: Kind::Psutil, interval };
        let result = LoopProcess::start(command, &contestant).unwrap().finish().unwrap();
        assert_eq!((result.ticks, result.cpu), (3, Duration::from_millis(250)));
        assert_eq!(result.peaks[&42], ByteSize::mib(1));
    }
}
