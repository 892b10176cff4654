//! Handle of the profiler's process: starts it, sends commands, receives notices.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use host::process::child::OwnedChild;
use host::workspace::own_program;
use skyload::profiler::ProfilerOptions;
use skyload::profiler::protocol::{self, Command as ProfilerCommand, Notice};
use skyload::record::profile::{Phase, Window};

/// Time limit for a reply of the profiler. Long, since a saturated machine delays it:
/// reading the PSS of 200 processes takes half a second on an idle one.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// Running profiler. Exits when its standard input closes, so it does not outlive this
/// process for long.
pub(crate) struct ProfilerProcess {
    child: OwnedChild,
    /// Standard input of the profiler; `None` after closing.
    commands: Option<ChildStdin>,
    notices: Receiver<Notice>,
    /// Notices that arrived during a wait for another one.
    pending: Vec<Notice>,
}

impl ProfilerProcess {
    /// Starts the profiler and waits for its first sample.
    pub(crate) fn spawn(options: &ProfilerOptions) -> Result<Self> {
        // The program starts itself: a separate profiler program could be out of date.
        let mut command = Command::new(own_program()?);
        command
            .arg("__profile")
            .arg(serde_json::to_string(options).context("writing the profiler's options")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // The terminal sends Ctrl-C to the foreground process group. Only the coordinator
            // may get it, which then stops the profiler.
            .process_group(0);
        let mut child = OwnedChild::spawn(&mut command).context("starting the profiler")?;
        let commands = child.take_input();
        let output = child.take_output().context("reading from the profiler")?;
        let (sender, notices) = channel();
        // A thread, since reading a pipe has no time limit. The thread exits with the profiler.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Ok(notice) = protocol::parse(&line) else { continue };
                if sender.send(notice).is_err() {
                    return;
                }
            }
        });
        let mut profiler = Self { child, commands, notices, pending: Vec::new() };
        profiler.wait_for(|notice| *notice == Notice::Ready).context("starting the profiler")?;
        Ok(profiler)
    }

    /// Returns and clears the notices received since the last call.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        let mut notices = std::mem::take(&mut self.pending);
        notices.extend(self.notices.try_iter());
        notices
    }

    /// Whether the profiler still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.is_running()
    }

    /// Makes the profiler read the PSS of all processes at the end of a phase, and waits
    /// until that is done.
    pub(crate) fn snapshot(&mut self, phase: Phase) -> Result<()> {
        self.send(&ProfilerCommand::Snapshot { phase })?;
        self.wait_for(|notice| matches!(notice, Notice::SnapshotTaken { .. }))
            .with_context(|| format!("reading memory at the end of the {}", phase.name()))
    }

    /// Makes the profiler write its samples so far. In a profile of more than half an hour they
    /// otherwise wait for up to a minute, to be thinned.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.send(&ProfilerCommand::Flush)
    }

    /// Makes the profiler reset the peaks at the start of `window`, and waits until that is
    /// done.
    pub(crate) fn begin_window(&mut self, window: Window) -> Result<()> {
        self.send(&ProfilerCommand::BeginWindow { window })?;
        self.wait_for(|notice| matches!(notice, Notice::WindowBegan { .. }))
            .with_context(|| format!("resetting peaks at the start of the {window}"))
    }

    /// Stops the profiler and waits until its files are complete.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.send(&ProfilerCommand::Finish)?;
        self.wait_for(|notice| *notice == Notice::Finished).context("stopping the profiler")?;
        let status = self.child.wait().context("waiting for the profiler")?;
        ensure!(status.success(), "the profiler exited with {status}");
        Ok(())
    }

    fn send(&mut self, command: &ProfilerCommand) -> Result<()> {
        let input = self.commands.as_mut().context("sending a command to the profiler")?;
        protocol::send(input, command)
            .context("sending a command to the profiler, which has exited")
    }

    /// Waits for a notice, and keeps others for [`Self::take_notices`].
    fn wait_for(&mut self, is_expected: impl Fn(&Notice) -> bool) -> Result<()> {
        let end = Instant::now() + REPLY_TIMEOUT;
        loop {
            match self.notices.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(notice) if is_expected(&notice) => return Ok(()),
                Ok(notice) => self.pending.push(notice),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the profiler did not respond within {} s", REPLY_TIMEOUT.as_secs())
                }
                Err(RecvTimeoutError::Disconnected) => bail!("the profiler has exited"),
            }
        }
    }
}

impl Drop for ProfilerProcess {
    fn drop(&mut self) {
        // Closing the input lets the profiler write its last lines before it is killed.
        self.commands = None;
        self.child.end_within(Duration::from_secs(5));
    }
}
