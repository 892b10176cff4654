//! A root process and workers below it whose memory is known to the byte, or
//! nearly: what profilers are measured on.
//!
//! ```text
//! root  --starts-->  a worker for each order, titled like an executor
//!   ^ orders, one a line      | reports, one a line
//! ```
//!
//! Each worker reports the truth about itself: its own `VmHWM`, read last.

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

/// The argument by which this package's program becomes the root of a workload.
pub const ARGUMENT: &str = "workload";

/// What a worker is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Hold memory, in a process of some threads, until the workload ends.
    Idle {
        /// How much.
        mib: usize,
    },
    /// Take much memory once and for a moment; then be there until the workload ends.
    Spike {
        /// How much, on top of what an idle worker has.
        mib: usize,
        /// How long after its first report.
        after: Duration,
        /// How long all of it is held, at the least.
        lasting: Duration,
    },
    /// Hold memory for a short life.
    Brief {
        /// How much.
        mib: usize,
        /// From birth to death.
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
            _ => bail!("`{text}` is not an order to a workload"),
        })
    }
}

/// What a worker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// It has its title and its memory; a spike is still to come.
    Ready {
        /// Which process.
        pid: u32,
    },
    /// It did what it was there for.
    Peak {
        /// Which process.
        pid: u32,
        /// The kernel's mark of it (`VmHWM`), read afterwards.
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
            _ => bail!("`{text}` is not a report of a worker"),
        })
    }
}

/// How long a workload may take to end. Workers end as soon as it lets go of them.
const END_WITHIN: Duration = Duration::from_secs(20);

/// A workload that runs. It ends with its owner, and its workers with it, however that
/// comes about: each waits for the end of what it reads from.
#[derive(Debug)]
pub struct Workload {
    root: Option<Child>,
    pid: u32,
    orders: Option<ChildStdin>,
    reports: Receiver<anyhow::Result<Report>>,
}

impl Workload {
    /// Starts a root without workers, which is `program`, this package's.
    pub fn start(program: &Path) -> anyhow::Result<Self> {
        let mut root = Command::new(program)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A terminal's Ctrl-C is for the owner, who then ends the workload.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting a workload of `{}`", program.display()))?;
        let (pid, orders) = (root.id(), root.stdin.take());
        let output = root.stdout.take().context("reading from the workload")?;
        let (sender, reports) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line.parse()).is_err() {
                    return;
                }
            }
        });
        Ok(Self { root: Some(root), pid, orders, reports })
    }

    /// The pid of the root, of which all workers are children.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Has one more worker started.
    pub fn order(&mut self, task: Task) -> anyhow::Result<()> {
        let orders = self.orders.as_mut().context("the workload was told to end")?;
        writeln!(orders, "{task}").with_context(|| format!("ordering `{task}` of the workload"))
    }

    /// The next report; nothing when there is none for so long.
    pub fn report_within(&self, limit: Duration) -> anyhow::Result<Option<Report>> {
        match self.reports.recv_timeout(limit) {
            Ok(report) => report.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the workload has ended"),
        }
    }

    /// Ends the root and all its workers, and waits until they are gone.
    pub fn finish(mut self) -> anyhow::Result<()> {
        self.orders = None;
        let mut root = self.root.take().context("it was ended before")?;
        let ended = wait(&mut root);
        if ended.is_none() {
            _ = root.kill();
            _ = root.wait();
        }
        let status = ended.context("the workload did not end when it was told to")?;
        ensure!(status.success(), "the workload ended with {status}");
        Ok(())
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(mut root) = self.root.take() {
            _ = wait(&mut root);
            _ = root.kill();
            _ = root.wait();
        }
    }
}

fn wait(root: &mut Child) -> Option<ExitStatus> {
    let ended = wait_until(END_WITHIN, Duration::from_millis(5), || match root.try_wait() {
        Ok(Some(status)) => Probe::Ready(status),
        _ => Probe::NotYet("it is alive".to_owned()),
    });
    ended.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_reports_survive_the_way_through_a_pipe() {
        let millis = Duration::from_millis;
        for task in [
            Task::Idle { mib: 20 },
            Task::Spike { mib: 300, after: millis(120), lasting: millis(41) },
            Task::Brief { mib: 80, lasting: millis(100) },
        ] {
            assert_eq!(task.to_string().parse::<Task>().unwrap(), task);
        }
        for report in [Report::Ready { pid: 7 }, Report::Peak { pid: 7, kib: 20480 }] {
            assert_eq!(report.to_string().parse::<Report>().unwrap(), report);
        }
    }

    #[test]
    fn what_is_no_order_is_named() {
        let error = "rest 5".parse::<Task>().unwrap_err().to_string();
        assert_eq!(error, "`rest 5` is not an order to a workload");
    }
}
