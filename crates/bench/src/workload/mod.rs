//! Workload: a root process and workers of known memory, for measuring profilers.
//!
//! ```text
//! root  --starts-->  one worker per task, with an executor's title
//!   ^ tasks, one per line     | reports, one per line
//! ```
//!
//! Each worker reports its own high-water mark (`VmHWM`), which it reads at the end of its
//! task. Profilers are compared with that.

mod root;
pub mod worker;

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use skyload::poll::{Probe, wait_until};

pub use root::run as run_root;

/// Argument with which this package's program runs the root of a workload.
pub const ARGUMENT: &str = "workload";

/// Task of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Hold memory, with several threads, until the workload ends.
    Idle {
        /// Resident memory, in MiB.
        mib: usize,
    },
    /// Allocate much memory once for a short time, then stay until the workload ends.
    Spike {
        /// Size of the spike in MiB, in addition to an idle worker's memory.
        mib: usize,
        /// Delay of the spike after the first report.
        after: Duration,
        /// Minimum time for which the whole spike is held.
        lasting: Duration,
    },
    /// Hold memory for a short time, then exit.
    Brief {
        /// Resident memory, in MiB.
        mib: usize,
        /// Lifetime of the process.
        lasting: Duration,
    },
    /// Run requests until the workload ends, as an executor does: with the log of each as standard
    /// output, and more memory while it runs.
    Requests {
        /// Resident memory without a request, in MiB.
        mib: usize,
        /// Time from the start of one request to that of the next.
        every: Duration,
        /// Time that a request runs.
        lasting: Duration,
    },
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle { mib } => write!(f, "idle {mib}"),
            Self::Spike { mib, after, lasting } => {
                write!(f, "spike {mib} {} {}", after.as_millis(), lasting.as_millis())
            }
            Self::Brief { mib, lasting } => write!(f, "brief {mib} {}", lasting.as_millis()),
            Self::Requests { mib, every, lasting } => {
                write!(f, "requests {mib} {} {}", every.as_millis(), lasting.as_millis())
            }
        }
    }
}

impl FromStr for Task {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let millis = |word: &str| word.parse().map(Duration::from_millis);
        Ok(match words[..] {
            ["idle", mib] => Self::Idle { mib: mib.parse()? },
            ["spike", mib, after, lasting] => {
                Self::Spike { mib: mib.parse()?, after: millis(after)?, lasting: millis(lasting)? }
            }
            ["brief", mib, lasting] => Self::Brief { mib: mib.parse()?, lasting: millis(lasting)? },
            ["requests", mib, every, lasting] => Self::Requests {
                mib: mib.parse()?,
                every: millis(every)?,
                lasting: millis(lasting)?,
            },
            _ => bail!("expected a task (idle, spike, brief or requests), got `{text}`"),
        })
    }
}

/// Report of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Title and memory of the worker are set; a spike is still to come.
    Ready {
        /// Process id of the worker.
        pid: u32,
    },
    /// Task of the worker is done.
    Peak {
        /// Process id of the worker.
        pid: u32,
        /// High-water mark (`VmHWM`) of the worker in KiB, read after the task.
        kib: u64,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { pid } => write!(f, "ready {pid}"),
            Self::Peak { pid, kib } => write!(f, "peak {pid} {kib}"),
        }
    }
}

impl FromStr for Report {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        Ok(match words[..] {
            ["ready", pid] => Self::Ready { pid: pid.parse()? },
            ["peak", pid, kib] => Self::Peak { pid: pid.parse()?, kib: kib.parse()? },
            _ => bail!("expected a report of a worker (ready or peak), got `{text}`"),
        })
    }
}

/// Time limit of the exit of a workload, whose workers exit when their input closes.
const EXIT_TIMEOUT: Duration = Duration::from_secs(20);

/// Running workload. Root and workers exit at the end of their input, so they end with this
/// process even if it is killed.
#[derive(Debug)]
pub struct Workload {
    root: Option<Child>,
    pid: u32,
    tasks: Option<ChildStdin>,
    reports: Receiver<anyhow::Result<Report>>,
}

impl Workload {
    /// Starts a root without workers. `program` is this package's program.
    pub fn start(program: &Path) -> anyhow::Result<Self> {
        let mut root = Command::new(program)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C at the terminal must only reach this process, which then ends the
            // workload.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting a workload with `{}`", program.display()))?;
        let (pid, tasks) = (root.id(), root.stdin.take());
        let output = root.stdout.take().context("reading from the workload")?;
        let (sender, reports) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line.parse()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { root: Some(root), pid, tasks, reports })
    }

    /// Process id of the root, the parent of all workers.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Starts another worker.
    pub fn start_worker(&mut self, task: Task) -> anyhow::Result<()> {
        let tasks = self.tasks.as_mut().context("the input of the workload is closed")?;
        writeln!(tasks, "{task}").with_context(|| format!("sending `{task}` to the workload"))
    }

    /// Next report; `None` if there is none within `timeout`.
    pub fn report_within(&self, timeout: Duration) -> anyhow::Result<Option<Report>> {
        match self.reports.recv_timeout(timeout) {
            Ok(report) => report.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the workload has exited"),
        }
    }

    /// Ends the root and all its workers, and waits until they have exited.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.tasks = None;
        let mut root = self.root.take().context("the workload was already ended")?;
        let ended = wait(&mut root);
        // Killing a hanging root closes the input of its workers, so that they exit as well.
        if ended.is_none() {
            _ = root.kill();
            _ = root.wait();
        }
        let status = ended.with_context(|| {
            format!("the workload did not exit within {} s", EXIT_TIMEOUT.as_secs())
        })?;
        ensure!(status.success(), "the workload failed: {status}");
        Ok(())
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(mut root) = self.root.take() {
            _ = wait(&mut root);
            _ = root.kill();
            _ = root.wait();
        }
    }
}

fn wait(root: &mut Child) -> Option<ExitStatus> {
    let ended = wait_until(EXIT_TIMEOUT, Duration::from_millis(5), || match root.try_wait() {
        Ok(Some(status)) => Probe::Ready(status),
        _ => Probe::NotYet("the workload still runs".to_owned()),
    });
    ended.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_reports_are_parsed_from_their_lines() {
        let millis = Duration::from_millis;
        for task in [
            Task::Idle { mib: 20 },
            Task::Spike { mib: 300, after: millis(120), lasting: millis(41) },
            Task::Brief { mib: 80, lasting: millis(100) },
            Task::Requests { mib: 20, every: millis(10_000), lasting: millis(900) },
        ] {
            assert_eq!(task.to_string().parse::<Task>().unwrap(), task);
        }
        for report in [Report::Ready { pid: 7 }, Report::Peak { pid: 7, kib: 20480 }] {
            assert_eq!(report.to_string().parse::<Report>().unwrap(), report);
        }
    }

    #[test]
    fn an_unknown_task_is_an_error() {
        let error = "rest 5".parse::<Task>().unwrap_err().to_string();
        assert_eq!(error, "expected a task (idle, spike, brief or requests), got `rest 5`");
    }
}
