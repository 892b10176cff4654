//! What is caught: of short spikes, and of processes that live briefly.
//!
//! Each of them is a process of its own, and says afterwards what the kernel says
//! of it. All candidates get the same sizes at the same distances, by the round's seed;
//! at which moment of a candidate's interval they fall is left to chance.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bench::workload::{Report, Task, Workload};
use fastrand::Rng;
use skyload::units::ByteSize;

use crate::candidate::Candidate;
use crate::cost::report;
use crate::harness::{Harness, workload};
use crate::plan::{SPIKE_LASTS, SPIKE_MIB};
use crate::statistics::Claim;

/// One candidate's claims of one round.
#[derive(Debug)]
pub(crate) struct Caught {
    /// Its place among the candidates.
    pub(crate) candidate: usize,
    pub(crate) spikes: Vec<Claim>,
    pub(crate) brief: Vec<Claim>,
}

/// What a process said of itself.
struct Truth {
    pid: u32,
    peak: ByteSize,
}

/// Has all candidates watch spikes and brief processes, once.
pub(crate) fn measure_round(harness: &Harness, round: u32) -> Result<Vec<Caught>> {
    let mut caught = Vec::new();
    for (candidate, who) in harness.rotated(round) {
        let mut rng = Rng::with_seed(harness.plan.seed + u64::from(round));
        let mut watch = |what: &str, count: u32, show: Show| {
            let step = harness.progress.step(format!(
                "Round {}/{}: {what} seen by {who}",
                round + 1,
                harness.plan.rounds
            ));
            let claims = watch(harness, who, |workload| {
                let truths = (0..count).map(|number| {
                    step.update(format!("{number} of {count}"));
                    show(harness, workload, &mut rng)
                });
                truths.collect()
            })
            .with_context(|| format!("showing {what} to {who}"))?;
            step.done(format!("{count} shown"));
            anyhow::Ok(claims)
        };
        let spikes = watch("spikes", harness.plan.spikes_per_round, spike)?;
        let brief = watch("brief processes", harness.plan.brief_per_round, brief)?;
        caught.push(Caught { candidate, spikes, brief });
    }
    Ok(caught)
}

/// Has one process do what is to be seen, and returns what it says of it.
type Show = fn(&Harness, &mut Workload, &mut Rng) -> Result<Truth>;

fn watch(
    harness: &Harness,
    candidate: &Candidate,
    show: impl FnOnce(&mut Workload) -> Result<Vec<Truth>>,
) -> Result<Vec<Claim>> {
    let mut workload = workload()?;
    let watcher = harness.watch(candidate, &workload)?;
    let truths = show(&mut workload)?;
    let watched = watcher.finish()?;
    workload.finish()?;
    Ok(claims(&truths, &watched.peaks))
}

fn claims(truths: &[Truth], said: &HashMap<u32, ByteSize>) -> Vec<Claim> {
    let claim = |truth: &Truth| Claim { truth: truth.peak, said: said.get(&truth.pid).copied() };
    truths.iter().map(claim).collect()
}

/// A process of its own, which then stays: its high-water mark is there to be read.
fn spike(harness: &Harness, workload: &mut Workload, rng: &mut Rng) -> Result<Truth> {
    let (mib, after) = (usize::try_from(SPIKE_MIB)?, millis(rng, 100..=400));
    workload.order(Task::Spike { mib, after, lasting: SPIKE_LASTS })?;
    next_truth(harness, workload)
}

/// It is gone when the next one comes.
fn brief(harness: &Harness, workload: &mut Workload, rng: &mut Rng) -> Result<Truth> {
    let mib = rng.usize(40..=120);
    workload.order(Task::Brief { mib, lasting: millis(rng, 100..=300) })?;
    let truth = next_truth(harness, workload)?;
    // The end of the last one is to be seen, too.
    harness.signals.wait(millis(rng, 50..=100))?;
    Ok(truth)
}

/// A number of milliseconds.
fn millis(rng: &mut Rng, bounds: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rng.u64(bounds))
}

fn next_truth(harness: &Harness, workload: &Workload) -> Result<Truth> {
    loop {
        if let Report::Peak { pid, kib } = report(harness, workload)? {
            return Ok(Truth { pid, peak: ByteSize(kib << 10) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truth_meets_what_was_said_of_the_same_process() {
        let truth = |pid, mib| Truth { pid, peak: ByteSize::mib(mib) };
        let said = HashMap::from([(7, ByteSize::mib(70)), (9, ByteSize::mib(1))]);
        let claims = claims(&[truth(7, 80), truth(8, 90)], &said);
        let claim = |truth, said: Option<u64>| Claim {
            truth: ByteSize::mib(truth),
            said: said.map(ByteSize::mib),
        };
        assert_eq!(claims, [claim(80, Some(70)), claim(90, None)]);
    }
}
