//! The profiler's process from outside: started, asked for snapshots, ended.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use host::process::child::OwnedChild;
use host::workspace::own_program;
use skyload::profiler::ProfilerOptions;
use skyload::profiler::protocol::{self, Command as Order, Notice};
use skyload::record::profile::{Phase, Window};

/// The profiler must answer within this, even on a machine that is saturated:
/// proportional memory of 200 processes takes half a second on an idle one.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A profiler under way. It ends by itself when its standard input closes, so it
/// does not outlive this process.
pub(crate) struct ProfilerProcess {
    child: OwnedChild,
    orders: Option<ChildStdin>,
    notices: Receiver<Notice>,
    /// Notices that came while another was waited for.
    pending: Vec<Notice>,
}

impl ProfilerProcess {
    /// Starts it and waits until it has taken its first look. This program starts
    /// itself once more: there is no other that could be out of date.
    pub(crate) fn spawn(options: &ProfilerOptions) -> Result<Self> {
        let mut command = Command::new(own_program()?);
        command
            .arg("__profile")
            .arg(serde_json::to_string(options).context("writing the profiler's options")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C is for the coordinator, which then ends the profiler.
            .process_group(0);
        let mut child = OwnedChild::spawn(&mut command).context("starting the profiler")?;
        let orders = child.take_input();
        let output = child.take_output().context("reading from the profiler")?;
        let (sender, notices) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let Ok(notice) = protocol::parse(&line) else { continue };
                if sender.send(notice).is_err() {
                    return;
                }
            }
        });
        let mut profiler = Self { child, orders, notices, pending: Vec::new() };
        profiler.wait_for(|notice| *notice == Notice::Ready).context("starting the profiler")?;
        Ok(profiler)
    }

    /// What the profiler has said since it was last asked.
    pub(crate) fn news(&mut self) -> Vec<Notice> {
        let mut news = std::mem::take(&mut self.pending);
        news.extend(self.notices.try_iter());
        news
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.is_running()
    }

    /// Has proportional memory read at the end of a phase, and waits for it.
    pub(crate) fn snapshot(&mut self, phase: Phase) -> Result<()> {
        self.order(&Order::Snapshot { phase })?;
        self.wait_for(|notice| matches!(notice, Notice::SnapshotTaken { .. }))
            .with_context(|| format!("reading memory at the end of the {}", phase.name()))
    }

    /// Has marks lowered, and waits for it: what begins is to have peaks of its own.
    pub(crate) fn begin_window(&mut self, window: Window) -> Result<()> {
        self.order(&Order::BeginWindow { window })?;
        self.wait_for(|notice| matches!(notice, Notice::WindowBegan { .. }))
            .with_context(|| format!("lowering marks at the beginning of the {window}"))
    }

    /// Ends it and waits until everything is written down.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.order(&Order::Finish)?;
        self.wait_for(|notice| *notice == Notice::Finished).context("ending the profiler")?;
        let status = self.child.wait().context("waiting for the profiler")?;
        ensure!(status.success(), "the profiler ended with {status}");
        Ok(())
    }

    fn order(&mut self, order: &Order) -> Result<()> {
        let orders = self.orders.as_mut().context("speaking to the profiler")?;
        protocol::send(orders, order).context("speaking to the profiler, which has ended")
    }

    fn wait_for(&mut self, wanted: impl Fn(&Notice) -> bool) -> Result<()> {
        let end = Instant::now() + ANSWER_WITHIN;
        loop {
            match self.notices.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(notice) if wanted(&notice) => return Ok(()),
                Ok(notice) => self.pending.push(notice),
                Err(RecvTimeoutError::Timeout) => bail!("the profiler does not answer"),
                Err(RecvTimeoutError::Disconnected) => bail!("the profiler has ended"),
            }
        }
    }
}

impl Drop for ProfilerProcess {
    fn drop(&mut self) {
        // Closing its input lets it write down what it has.
        self.orders = None;
        self.child.end_within(Duration::from_secs(5));
    }
}
