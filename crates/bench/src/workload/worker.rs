//! Worker of a workload: looks like an executor, holds memory by its task, and reports its
//! own high-water mark.

use std::io::{Write, copy, sink, stdin, stdout};
use std::os::unix::process::CommandExt;
use std::process::id;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use fake_sky::{memory, procfs, title};

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
