//! Root of a workload: starts a worker for each task, and ends all workers at the end of its
//! input.

use std::io::{PipeReader, pipe, stdin};
use std::process::{Child, Command};
use std::thread;

use anyhow::Context;
use fake_sky::title::THIS_PROGRAM;

use super::{Task, worker};

/// Starts a worker for each task on standard input, then ends all workers.
pub fn run() -> anyhow::Result<()> {
    // Standard input of all workers. The kernel closes the writing end when this process
    // exits, even by SIGKILL, and the workers exit at the end of their input.
    let (worker_input, writing_end) = pipe().context("creating the input of the workers")?;
    let (mut lasting, mut brief) = (Vec::new(), Vec::new());
    for line in stdin().lines() {
        let task: Task = line.context("reading a task")?.parse()?;
        let mut worker = start(task, &worker_input)?;
        match task {
            Task::Idle { .. } | Task::Spike { .. } | Task::Requests { .. } => lasting.push(worker),
            // Reaped immediately, like the children of an API server.
            Task::Brief { .. } => brief.push(thread::spawn(move || worker.wait())),
        }
    }
    drop(writing_end);
    for mut worker in lasting {
        worker.wait().context("waiting for a worker")?;
    }
    for waiting in brief {
        // The thread only calls `wait`, which does not panic.
        _ = waiting.join();
    }
    Ok(())
}

fn start(task: Task, input: &PipeReader) -> anyhow::Result<Child> {
    let stdin = input.try_clone().context("duplicating the input of the workers")?;
    Command::new(THIS_PROGRAM)
        .env(worker::TASK, task.to_string())
        .stdin(stdin)
        .spawn()
        .with_context(|| format!("starting a worker (`{task}`)"))
}
