//! What a tick costs, by how many processes there are to look at.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bench::workload::{Report, Task, Workload};

use crate::candidate::Candidate;
use crate::harness::{Harness, workload};
use crate::plan::WORKER_MIB;
use crate::watcher::Watched;

/// A worker may take so long to get ready on a machine that is busy with others.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// One candidate among so many workers in one round.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) workers: u32,
    /// Its place among the candidates.
    pub(crate) candidate: usize,
    pub(crate) watched: Watched,
}

/// Measures all candidates at each number of workers, once.
pub(crate) fn measure_round(harness: &Harness, round: u32) -> Result<Vec<Measured>> {
    let mut measured = Vec::new();
    for &workers in &harness.plan.workers {
        let step = harness.progress.step(format!(
            "Round {}/{}: the cost among {workers} workers",
            round + 1,
            harness.plan.rounds
        ));
        let mut workload = workload()?;
        for _ in 0..workers {
            workload.order(Task::Idle { mib: usize::try_from(WORKER_MIB)? })?;
        }
        for _ in 0..workers {
            match report(harness, &workload)? {
                Report::Ready { .. } => {}
                peak @ Report::Peak { .. } => bail!("an idle worker reports `{peak}`"),
            }
        }
        for (candidate, who) in harness.rotated(round) {
            step.update(who.to_string());
            let watched = measure(harness, who, &workload)
                .with_context(|| format!("measuring {who} among {workers} workers"))?;
            measured.push(Measured { workers, candidate, watched });
        }
        workload.finish()?;
        step.done("measured");
    }
    Ok(measured)
}

fn measure(harness: &Harness, candidate: &Candidate, workload: &Workload) -> Result<Watched> {
    let watcher = harness.watch(candidate, workload)?;
    harness.signals.wait(harness.plan.window)?;
    watcher.finish()
}

/// The next report of a workload, unless somebody asks for an end before.
pub(crate) fn report(harness: &Harness, workload: &Workload) -> Result<Report> {
    const LOOK_EVERY: Duration = Duration::from_millis(100);
    let end = Instant::now() + READY_WITHIN;
    while Instant::now() < end {
        harness.signals.check()?;
        if let Some(report) = workload.report_within(LOOK_EVERY)? {
            return Ok(report);
        }
    }
    bail!("no worker has reported within {}", humantime::format_duration(READY_WITHIN))
}
