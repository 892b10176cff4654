//! Worker of a workload: looks like an executor, holds memory by its task, and reports its
//! own high-water mark.

use std::fs::{self, File};
use std::io::{Write, copy, sink, stdin, stdout};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::id;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use fake_sky::{memory, procfs, title};
use nix::unistd::dup2_stdout;

use super::{Report, Task};

/// Environment variable with the task of a worker, whose command line is its title.
pub(super) const TASK: &str = "_BENCH_WORKER_TASK";

/// Number of threads besides the main one. SkyPilot's executors have several too.
const THREADS: usize = 3;

/// Memory of a worker before and after its spike, in MiB.
const BEFORE_SPIKE_MIB: usize = 20;

/// Task of this process, if it is a worker.
#[expect(clippy::disallowed_methods, reason = "here, the name is this package's own")]
pub fn task() -> Option<String> {
    std::env::var(TASK).ok()
}

/// Runs the task of this worker.
pub fn work(task: &str) -> anyhow::Result<()> {
    let title = format!("SkyPilot:executor:short:{}", id());
    if std::env::args().next().as_ref() != Some(&title) {
        // The title has the pid, which the root does not know before the start. `exec` sets
        // the title and keeps the pid.
        let error = title::titled(&title).exec();
        return Err(error).context("setting the title by exec");
    }
    let start = Instant::now();
    title::set_process_name("SkyPilot:executor");
    match task.parse()? {
        Task::Idle { mib } => idle(mib),
        Task::Spike { mib, after, lasting } => spike(mib, after, lasting),
        Task::Brief { mib, lasting } => {
            let memory = memory::fill_to(mib);
            // Filling the memory takes part of the lifetime.
            thread::sleep(lasting.saturating_sub(start.elapsed()));
            let reported = report_peak();
            drop(memory);
            reported
        }
        Task::Requests { mib, every, lasting } => run_requests(mib, every, lasting),
    }
}

fn idle(mib: usize) -> anyhow::Result<()> {
    let memory = memory::fill_to(mib);
    for _ in 0..THREADS {
        thread::spawn(|| {
            loop {
                thread::park();
            }
        });
    }
    send(Report::Ready { pid: id() })?;
    let waited = wait_for_end_of_input();
    drop(memory);
    waited
}

/// Memory of a request in MiB, in addition to the worker's.
const REQUEST_MIB: usize = 5;

fn run_requests(mib: usize, every: Duration, lasting: Duration) -> anyhow::Result<()> {
    let memory = memory::fill_to(mib);
    let folder = tempfile::tempdir().context("creating a directory for requests' logs")?;
    // By this name, a log is that of a request.
    let logs = folder.path().join("request_logs");
    fs::create_dir(&logs).with_context(|| format!("creating `{}`", logs.display()))?;
    send(Report::Ready { pid: id() })?;
    thread::spawn(move || {
        // So that the workers do not begin their requests at once.
        thread::sleep(every / 97 * (id() % 97));
        (0_u64..).try_for_each(|number| -> anyhow::Result<()> {
            let output = stdout().as_fd().try_clone_to_owned()?;
            dup2_stdout(File::create(logs.join(format!("{}-{number}.log", id())))?)?;
            let request = memory::touched(REQUEST_MIB << 20);
            thread::sleep(lasting);
            drop(request);
            dup2_stdout(output)?;
            thread::sleep(every.saturating_sub(lasting));
            Ok(())
        })
    });
    let waited = wait_for_end_of_input();
    drop((memory, folder));
    waited
}

fn spike(mib: usize, after: Duration, lasting: Duration) -> anyhow::Result<()> {
    let memory = memory::fill_to(BEFORE_SPIKE_MIB);
    send(Report::Ready { pid: id() })?;
    thread::sleep(after);
    let spike = memory::touched(mib << 20);
    thread::sleep(lasting);
    drop(spike);
    report_peak()?;
    let waited = wait_for_end_of_input();
    drop(memory);
    waited
}

fn report_peak() -> anyhow::Result<()> {
    let kib = procfs::own_memory_kib("VmHWM").context("reading this process's VmHWM")?;
    send(Report::Peak { pid: id(), kib })
}

/// Writes a report to standard output, which the workers of a workload share.
fn send(report: Report) -> anyhow::Result<()> {
    // Stdout is line-buffered, so each report is a single write and lines do not mix.
    writeln!(stdout(), "{report}").context("writing a report")
}

/// Waits for the end of the input, on which nothing is ever sent.
fn wait_for_end_of_input() -> anyhow::Result<()> {
    copy(&mut stdin(), &mut sink()).context("waiting for the end of the workload").map(|_| ())
}
