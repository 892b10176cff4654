//! What is caught: of short spikes, and of processes that live briefly.
//!
//! Each of them is a process of its own, and says afterwards what the kernel says
//! of it. Everybody gets the same sizes at the same distances, by the round's seed;
//! at which moment of a contestant's interval they fall is left to chance.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fake_sky::crew::{Crew, Report, Task};
use fastrand::Rng;
use skyload::units::ByteSize;

use super::Ring;
use super::contestant::Contestant;
use super::cost::report;
use super::plan::{SPIKE_LASTS, SPIKE_MIB};
use super::statistics::Claim;

/// One contestant's claims of one round.
#[derive(Debug)]
pub(super) struct Caught {
    /// Its place in the field.
    pub(super) contestant: usize,
    pub(super) spikes: Vec<Claim>,
    pub(super) brief: Vec<Claim>,
}

/// What a process said of itself.
struct Truth {
    pid: u32,
    peak: ByteSize,
}

/// Has everybody watch spikes and brief processes, once.
pub(super) fn measure_round(ring: &Ring<'_>, round: u32) -> Result<Vec<Caught>> {
    let mut caught = Vec::new();
    for (contestant, who) in ring.in_turn(round) {
        let mut rng = Rng::with_seed(ring.plan.seed + u64::from(round));
        let mut watch = |what: &str, count: u32, show: Show| {
            let step = ring.progress.step(format!(
                "Round {}/{}: {what} seen by {who}",
                round + 1,
                ring.plan.rounds
            ));
            let claims = watch(ring, who, |crew| {
                let truths = (0..count).map(|number| {
                    step.update(format!("{number} of {count}"));
                    show(ring, crew, &mut rng)
                });
                truths.collect()
            })
            .with_context(|| format!("showing {what} to {who}"))?;
            step.done(format!("{count} shown"));
            anyhow::Ok(claims)
        };
        let spikes = watch("spikes", ring.plan.spikes_per_round, spike)?;
        let brief = watch("brief processes", ring.plan.brief_per_round, brief)?;
        caught.push(Caught { contestant, spikes, brief });
    }
    Ok(caught)
}

/// Has one process do what is to be seen, and returns what it says of it.
type Show = fn(&Ring<'_>, &mut Crew, &mut Rng) -> Result<Truth>;

fn watch(
    ring: &Ring<'_>,
    contestant: &Contestant,
    show: impl FnOnce(&mut Crew) -> Result<Vec<Truth>>,
) -> Result<Vec<Claim>> {
    let mut crew = Crew::start(&ring.crew_program)?;
    let watcher = ring.watch(contestant, &crew)?;
    let truths = show(&mut crew)?;
    let watched = watcher.finish()?;
    crew.finish()?;
    Ok(claims(&truths, &watched.peaks))
}

fn claims(truths: &[Truth], said: &HashMap<u32, ByteSize>) -> Vec<Claim> {
    let claim = |truth: &Truth| Claim { truth: truth.peak, said: said.get(&truth.pid).copied() };
    truths.iter().map(claim).collect()
}

/// A process of its own, which then stays: its mark is there to be read.
fn spike(ring: &Ring<'_>, crew: &mut Crew, rng: &mut Rng) -> Result<Truth> {
    let (mib, after) = (usize::try_from(SPIKE_MIB)?, millis(rng, 100..=400));
    crew.order(Task::Spike { mib, after, lasting: SPIKE_LASTS })?;
    next_truth(ring, crew)
}

/// It is gone when the next one comes.
fn brief(ring: &Ring<'_>, crew: &mut Crew, rng: &mut Rng) -> Result<Truth> {
    let mib = rng.usize(40..=120);
    crew.order(Task::Brief { mib, lasting: millis(rng, 100..=300) })?;
    let truth = next_truth(ring, crew)?;
    // The end of the last one is to be seen, too.
    ring.wait(millis(rng, 50..=100))?;
    Ok(truth)
}

/// A number of milliseconds.
fn millis(rng: &mut Rng, bounds: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rng.u64(bounds))
}

fn next_truth(ring: &Ring<'_>, crew: &Crew) -> Result<Truth> {
    loop {
        if let Report::Peak { pid, kib } = report(ring, crew)? {
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
