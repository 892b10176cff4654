//! A worker of a workload: looks like an executor, holds memory as it was told, and
//! says what the kernel says of it.

use std::io::{Write, copy, sink, stdin, stdout};
use std::os::unix::process::CommandExt;
use std::process::id;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use fake_sky::{memory, procfs, title};

use super::{Report, Task};

/// The variable that tells a worker its task: its command line is its title.
pub(super) const TASK: &str = "_BENCH_WORKER_TASK";

/// Threads beside the main one: the executors of SkyPilot have some.
const THREADS: usize = 3;

/// What a worker holds that is there for its spike.
const BEFORE_SPIKE_MIB: usize = 20;

/// The task of this process, if it is a worker.
#[expect(clippy::disallowed_methods, reason = "here, the name is this package's own")]
pub fn task() -> Option<String> {
    std::env::var(TASK).ok()
}

/// Does what this worker was started for.
pub fn work(task: &str) -> anyhow::Result<()> {
    let title = format!("SkyPilot:executor:short:{}", id());
    if std::env::args().next().as_ref() != Some(&title) {
        // Its own pid stands in its title, and is known only now.
        let error = title::titled(&title).exec();
        return Err(error).context("taking a title");
    }
    let born = Instant::now();
    title::set_process_name("SkyPilot:executor");
    match task.parse()? {
        Task::Idle { mib } => be_idle(mib),
        Task::Spike { mib, after, lasting } => spike(mib, after, lasting),
        Task::Brief { mib, lasting } => {
            let memory = memory::fill_to(mib);
            thread::sleep(lasting.saturating_sub(born.elapsed()));
            let told = tell_peak();
            drop(memory);
            told
        }
    }
}

fn be_idle(mib: usize) -> anyhow::Result<()> {
    let memory = memory::fill_to(mib);
    for _ in 0..THREADS {
        thread::spawn(|| {
            loop {
                thread::park();
            }
        });
    }
    say(Report::Ready { pid: id() })?;
    let waited = wait_for_the_end();
    drop(memory);
    waited
}

fn spike(mib: usize, after: Duration, lasting: Duration) -> anyhow::Result<()> {
    let memory = memory::fill_to(BEFORE_SPIKE_MIB);
    say(Report::Ready { pid: id() })?;
    thread::sleep(after);
    let spike = memory::touched(mib << 20);
    thread::sleep(lasting);
    drop(spike);
    tell_peak()?;
    let waited = wait_for_the_end();
    drop(memory);
    waited
}

fn tell_peak() -> anyhow::Result<()> {
    let kib = procfs::own_memory_kib("VmHWM").context("reading this process's own peak")?;
    say(Report::Peak { pid: id(), kib })
}

/// A line is written at once: the workers of a workload share one output.
fn say(report: Report) -> anyhow::Result<()> {
    writeln!(stdout(), "{report}").context("reporting to the owner of the workload")
}

/// Nothing ever comes through the lifeline but its end.
fn wait_for_the_end() -> anyhow::Result<()> {
    copy(&mut stdin(), &mut sink()).context("waiting for the end of the workload").map(|_| ())
}
