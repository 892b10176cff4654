//! Harness that runs a profiler on a process and reads its files.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeWriter, Write, pipe};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{SIGKILL, kill};
use nix::unistd::Pid;
use skyload::ids::ProcessIdentity;
use skyload::profiler::protocol::{self, Command as ProfilerCommand, Notice};
use skyload::profiler::{self, Marker, ProfilerError, ProfilerOptions};
use skyload::record::profile::{ProcessRecord, ProcessTable, ProfileLine};
use skyload::record::{read, read_log};
use tempfile::TempDir;

/// Time limit for a notice, on a machine that is busy with other tests.
const NOTICE_TIMEOUT: Duration = Duration::from_secs(20);

/// Child process of the test, killed on drop.
pub(super) struct TestProcess(Child);

impl TestProcess {
    /// Starts a shell that runs `script`. A `read` in it waits for [`Self::write_line`], or
    /// for the end of the test, which closes the input.
    pub(super) fn shell(script: &str) -> anyhow::Result<Self> {
        Self::marked_shell(script, None)
    }

    /// Starts a shell as [`Self::shell`] does, with a variable in its environment.
    pub(super) fn marked_shell(script: &str, marker: Option<&Marker>) -> anyhow::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.envs(marker.map(|marker| (&marker.name, &marker.value)));
        Ok(Self(command.spawn().context("starting a shell")?))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends the current `read` of the shell.
    pub(super) fn write_line(&self) -> anyhow::Result<()> {
        let mut input = self.0.stdin.as_ref().context("stdin is not piped")?;
        Ok(input.write_all(b"go\n")?)
    }

    /// Next line that the shell prints.
    pub(super) fn line(&mut self) -> anyhow::Result<String> {
        let out = self.0.stdout.as_mut().context("stdout is not piped")?;
        let mut line = String::new();
        // The reader is dropped after each line: with a larger buffer it would take bytes of
        // the next line with it.
        BufReader::with_capacity(1, out).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        _ = self.kill();
    }
}

/// Background process of a shell, killed on drop.
pub(super) struct Orphan(pub(super) u32);

impl Drop for Orphan {
    fn drop(&mut self) {
        _ = kill(Pid::from_raw(self.0.cast_signed()), SIGKILL);
    }
}

/// Running profiler.
pub(super) struct ProfilerHarness {
    folder: TempDir,
    commands: Option<PipeWriter>,
    notices: Receiver<Notice>,
    profiler: Option<JoinHandle<Result<(), ProfilerError>>>,
}

/// Contents of a profiler's files.
pub(super) struct Profile {
    pub(super) lines: Vec<ProfileLine>,
    pub(super) table: ProcessTable,
}

impl Profile {
    pub(super) fn record(&self, pid: u32) -> Option<&ProcessRecord> {
        self.table.processes.iter().find(|record| record.identity.pid == pid)
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.lines.first(), Some(ProfileLine::Header(_)))
            && matches!(self.lines.last(), Some(ProfileLine::Footer { .. }))
    }
}

impl ProfilerHarness {
    /// Starts a profiler on the tree of `root`, and waits for the first sample.
    pub(super) fn start(
        root: &TestProcess,
        adjust: impl FnOnce(&mut ProfilerOptions),
    ) -> anyhow::Result<Self> {
        Self::start_for_pid(root.pid(), adjust)
    }

    /// Starts a profiler as [`Self::start`] does, by the pid of the root.
    pub(super) fn start_for_pid(
        root: u32,
        adjust: impl FnOnce(&mut ProfilerOptions),
    ) -> anyhow::Result<Self> {
        let root = ProcessIdentity::of(root).context("the root has exited")?;
        let folder = tempfile::tempdir()?;
        let [samples, processes] =
            ["samples.jsonl", "processes.json"].map(|name| folder.path().join(name));
        let mut options = ProfilerOptions::new(root, samples, processes);
        adjust(&mut options);
        let (command_reader, command_writer) = pipe()?;
        let (notice_reader, notice_writer) = pipe()?;
        let profiler = thread::spawn(move || {
            profiler::run(&options, command_reader, notice_writer).map(|_| ())
        });
        let (sender, notices) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(notice_reader).lines().map_while(Result::ok) {
                let notice = protocol::parse(&line).expect("a notice");
                if sender.send(notice).is_err() {
                    return;
                }
            }
        });
        let harness =
            Self { folder, commands: Some(command_writer), notices, profiler: Some(profiler) };
        harness.wait_for(|notice| *notice == Notice::Ready)?;
        Ok(harness)
    }

    /// Waits for a notice, and skips those before it.
    pub(super) fn wait_for(&self, wanted: impl Fn(&Notice) -> bool) -> anyhow::Result<Notice> {
        loop {
            let notice =
                self.notices.recv_timeout(NOTICE_TIMEOUT).context("waiting for a notice")?;
            if wanted(&notice) {
                return Ok(notice);
            }
        }
    }

    /// Sends a command to the profiler.
    pub(super) fn send(&self, command: &ProfilerCommand) -> anyhow::Result<()> {
        let commands = self.commands.as_ref().context("the commands are closed")?;
        protocol::send(commands, command).context("sending a command")
    }

    /// Sends a line that is not a command.
    pub(super) fn send_invalid_command(&self) -> anyhow::Result<()> {
        let mut commands = self.commands.as_ref().context("the commands are closed")?;
        Ok(commands.write_all(b"what?\n")?)
    }

    /// Closes the commands, as the exit of the parent does.
    pub(super) fn close_commands(&mut self) {
        self.commands = None;
    }

    /// Waits for the end of the profiler.
    pub(super) fn join(&mut self) -> anyhow::Result<Result<(), ProfilerError>> {
        let profiler = self.profiler.take().context("the profiler was joined before")?;
        profiler.join().map_err(|_| anyhow::anyhow!("the profiler panicked"))
    }

    /// Reads the current contents of the files.
    pub(super) fn read(&self) -> anyhow::Result<Profile> {
        let lines = read_log(&self.samples())?.values;
        let table = read(&self.folder.path().join("processes.json"))?;
        Ok(Profile { lines, table })
    }

    /// Finishes the profile, and reads the files.
    pub(super) fn finish(mut self) -> anyhow::Result<Profile> {
        self.send(&ProfilerCommand::Finish)?;
        self.wait_for(|notice| *notice == Notice::Finished)?;
        self.join()??;
        self.read()
    }

    pub(super) fn samples(&self) -> PathBuf {
        self.folder.path().join("samples.jsonl")
    }

    /// Waits until the profiler has flushed another sample.
    pub(super) fn wait_for_sample(&self) -> anyhow::Result<()> {
        let size = || File::open(self.samples()).and_then(|file| file.metadata()).map(|m| m.len());
        let before = size()?;
        for _ in 0..400 {
            if size()? > before {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        anyhow::bail!("no sample was written in 20 s")
    }
}
