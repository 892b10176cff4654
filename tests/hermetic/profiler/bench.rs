//! Sets a profiler upon a process and reads what it wrote.

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
use skyload::profiler::protocol::{self, Command as Order, Notice};
use skyload::profiler::{self, Marker, ProfilerError, ProfilerOptions};
use skyload::record::profile::{ProcessRecord, ProcessTable, ProfileLine};
use skyload::record::{read, read_log};
use tempfile::TempDir;

/// How long a notice may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that the test started, ended with it.
pub(super) struct Owned(Child);

impl Owned {
    /// A shell that runs `script`. It ends when the test does, since it is
    /// killed, and `read` in a script ends by itself since its input closes.
    pub(super) fn shell(script: &str) -> anyhow::Result<Self> {
        Self::marked_shell(script, None)
    }

    /// The same with a variable in its environment.
    pub(super) fn marked_shell(script: &str, marker: Option<&Marker>) -> anyhow::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.envs(marker.map(|marker| (&marker.name, &marker.value)));
        Ok(Self(command.spawn().context("starting a shell")?))
    }

    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Ends the `read` that the shell is at.
    pub(super) fn write_line(&self) -> anyhow::Result<()> {
        let mut input = self.0.stdin.as_ref().context("it is piped")?;
        Ok(input.write_all(b"go\n")?)
    }

    /// The next line that the shell prints.
    pub(super) fn line(&mut self) -> anyhow::Result<String> {
        let out = self.0.stdout.as_mut().context("it is piped")?;
        let mut line = String::new();
        // One shell, one reader, and never more than one line at a time.
        BufReader::with_capacity(1, out).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        _ = self.kill();
    }
}

/// A process that a shell of the test left behind, ended with the test.
pub(super) struct Stray(pub(super) u32);

impl Drop for Stray {
    fn drop(&mut self) {
        _ = kill(Pid::from_raw(self.0.cast_signed()), SIGKILL);
    }
}

/// A profiler at work.
pub(super) struct Bench {
    folder: TempDir,
    orders: Option<PipeWriter>,
    notices: Receiver<Notice>,
    profiler: Option<JoinHandle<Result<(), ProfilerError>>>,
}

/// What a profiler left.
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

impl Bench {
    /// Profiles the tree of `root`, and waits for the first tick.
    pub(super) fn watch(
        root: &Owned,
        adjust: impl FnOnce(&mut ProfilerOptions),
    ) -> anyhow::Result<Self> {
        Self::watch_pid(root.pid(), adjust)
    }

    /// The same with a root that is not ours to end.
    pub(super) fn watch_pid(
        root: u32,
        adjust: impl FnOnce(&mut ProfilerOptions),
    ) -> anyhow::Result<Self> {
        let root = ProcessIdentity::of(root).context("the root lives")?;
        let folder = tempfile::tempdir()?;
        let [samples, processes] =
            ["samples.jsonl", "processes.json"].map(|name| folder.path().join(name));
        let mut options = ProfilerOptions::new(root, samples, processes);
        adjust(&mut options);
        let (order_out, order_in) = pipe()?;
        let (notice_out, notice_in) = pipe()?;
        let profiler =
            thread::spawn(move || profiler::run(&options, order_out, notice_in).map(|_| ()));
        let (sender, notices) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(notice_out).lines().map_while(Result::ok) {
                let notice = protocol::parse(&line).expect("a notice");
                if sender.send(notice).is_err() {
                    return;
                }
            }
        });
        let bench = Self { folder, orders: Some(order_in), notices, profiler: Some(profiler) };
        bench.wait_for(|notice| *notice == Notice::Ready)?;
        Ok(bench)
    }

    /// Waits for a notice, and leaves out any before it.
    pub(super) fn wait_for(&self, wanted: impl Fn(&Notice) -> bool) -> anyhow::Result<Notice> {
        loop {
            let notice = self.notices.recv_timeout(PATIENCE).context("the profiler is silent")?;
            if wanted(&notice) {
                return Ok(notice);
            }
        }
    }

    /// Gives the profiler a command.
    pub(super) fn order(&self, order: &Order) -> anyhow::Result<()> {
        let orders = self.orders.as_ref().context("the profiler was not told to end")?;
        protocol::send(orders, order).context("the profiler takes commands")
    }

    /// Sends something that is no command.
    pub(super) fn babble(&self) -> anyhow::Result<()> {
        let mut orders = self.orders.as_ref().context("the profiler was not told to end")?;
        Ok(orders.write_all(b"what?\n")?)
    }

    /// Ends the commands as the parent's death does.
    pub(super) fn hang_up(&mut self) {
        self.orders = None;
    }

    /// Waits for a profiler that was told to end.
    pub(super) fn join(&mut self) -> anyhow::Result<Result<(), ProfilerError>> {
        let profiler = self.profiler.take().context("it was not joined before")?;
        profiler.join().map_err(|_| anyhow::anyhow!("the profiler panicked"))
    }

    /// What is in the files now.
    pub(super) fn read(&self) -> anyhow::Result<Profile> {
        let lines = read_log(&self.samples())?.values;
        let table = read(&self.folder.path().join("processes.json"))?;
        Ok(Profile { lines, table })
    }

    /// Tells the profiler to finish, and reads what it left.
    pub(super) fn finish(mut self) -> anyhow::Result<Profile> {
        self.order(&Order::Finish)?;
        self.wait_for(|notice| *notice == Notice::Finished)?;
        self.join()??;
        self.read()
    }

    pub(super) fn samples(&self) -> PathBuf {
        self.folder.path().join("samples.jsonl")
    }

    /// Waits until the profiler has taken some more ticks.
    pub(super) fn let_it_tick(&self) -> anyhow::Result<()> {
        let size = || File::open(self.samples()).and_then(|file| file.metadata()).map(|m| m.len());
        let before = size()?;
        for _ in 0..400 {
            if size()? > before {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        anyhow::bail!("the profiler stands still")
    }
}
