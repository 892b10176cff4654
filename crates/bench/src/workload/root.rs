//! The root of a workload: starts a worker for each order, and ends them all when
//! its orders end.

use std::io::{PipeReader, pipe, stdin};
use std::process::{Child, Command};
use std::thread;

use anyhow::Context;
use fake_sky::title::THIS_PROGRAM;

use super::{Task, worker};

/// Carries out the orders that standard input has, until there are no more.
pub fn run() -> anyhow::Result<()> {
    // What workers read from. It ends when this process does, however it dies.
    let (lifeline, held) = pipe().context("making the lifeline of the workers")?;
    let (mut lasting, mut brief) = (Vec::new(), Vec::new());
    for order in stdin().lines() {
        let task: Task = order.context("reading an order")?.parse()?;
        let mut worker = start(task, &lifeline)?;
        match task {
            Task::Idle { .. } | Task::Spike { .. } => lasting.push(worker),
            // Reaped at once, as a server's own children are.
            Task::Brief { .. } => brief.push(thread::spawn(move || worker.wait())),
        }
    }
    drop(held);
    for mut worker in lasting {
        worker.wait().context("waiting for a worker")?;
    }
    for waiting in brief {
        // A panic would be one of `wait`, which has none.
        _ = waiting.join();
    }
    Ok(())
}

fn start(task: Task, lifeline: &PipeReader) -> anyhow::Result<Child> {
    let stdin = lifeline.try_clone().context("sharing the lifeline of the workers")?;
    Command::new(THIS_PROGRAM)
        .env(worker::TASK, task.to_string())
        .stdin(stdin)
        .spawn()
        .with_context(|| format!("starting a worker (`{task}`)"))
}
