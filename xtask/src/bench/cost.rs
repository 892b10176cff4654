//! What a tick costs, by how many processes there are to look at.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use fake_sky::crew::{Crew, Report, Task};

use super::Ring;
use super::contestant::Contestant;
use super::plan::WORKER_MIB;
use super::watcher::Watched;

/// A worker may take so long to get ready on a machine that is busy with others.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// One contestant among so many workers in one round.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) workers: u32,
    /// Its place in the field.
    pub(super) contestant: usize,
    pub(super) watched: Watched,
}

/// Measures everybody at each number of workers, once.
pub(super) fn measure_round(ring: &Ring<'_>, round: u32) -> Result<Vec<Measured>> {
    let mut measured = Vec::new();
    for &workers in &ring.plan.workers {
        let step = ring.progress.step(format!(
            "Round {}/{}: the cost among {workers} workers",
            round + 1,
            ring.plan.rounds
        ));
        let mut crew = Crew::start(&ring.crew_program)?;
        for _ in 0..workers {
            crew.order(Task::Idle { mib: usize::try_from(WORKER_MIB)? })?;
        }
        for _ in 0..workers {
            match report(ring, &crew)? {
                Report::Ready { .. } => {}
                peak @ Report::Peak { .. } => bail!("an idle worker reports `{peak}`"),
            }
        }
        for (contestant, who) in ring.in_turn(round) {
            step.update(who.to_string());
            let watched = measure(ring, who, &crew)
                .with_context(|| format!("measuring {who} among {workers} workers"))?;
            measured.push(Measured { workers, contestant, watched });
        }
        crew.finish()?;
        step.done("measured");
    }
    Ok(measured)
}

fn measure(ring: &Ring<'_>, contestant: &Contestant, crew: &Crew) -> Result<Watched> {
    let watcher = ring.watch(contestant, crew)?;
    ring.wait(ring.plan.window)?;
    watcher.finish()
}

/// The next report of a crew, unless somebody asks for an end before.
pub(super) fn report(ring: &Ring<'_>, crew: &Crew) -> Result<Report> {
    const LOOK_EVERY: Duration = Duration::from_millis(100);
    let end = Instant::now() + READY_WITHIN;
    while Instant::now() < end {
        ring.signals.check()?;
        if let Some(report) = crew.report_within(LOOK_EVERY)? {
            return Ok(report);
        }
    }
    bail!("no worker has reported within {}", humantime::format_duration(READY_WITHIN))
}
