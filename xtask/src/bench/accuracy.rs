//! What is caught: of short spikes, and of processes that live briefly.
//!
//! Each of them is a process of its own, and says afterwards what the kernel says
//! of it. Everybody gets the same sizes at the same distances, by the round's dice;
//! at which moment of a contestant's interval they fall is left to chance.

use std::time::Duration;

use anyhow::{Context as _, Result};
use fake_sky::crew::{Crew, Report, Task};
use skyload::units::ByteSize;

use super::Ring;
use super::contestant::Contestant;
use super::cost::{count, report};
use super::dice::Dice;
use super::plan::{SPIKE_LASTS, SPIKE_MIB};
use super::statistics::Claim;
use super::watcher::Watched;

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
        let mut dice = Dice::new(ring.plan.seed + u64::from(round));
        let spikes = watch(ring, who, round, &mut dice, "spikes", spikes)?;
        let brief = watch(ring, who, round, &mut dice, "brief processes", brief)?;
        caught.push(Caught { contestant, spikes, brief });
    }
    Ok(caught)
}

type Show = fn(&Ring<'_>, &mut Crew, &mut Dice, &dyn Fn(u32)) -> Result<Vec<Truth>>;

fn watch(
    ring: &Ring<'_>,
    contestant: &Contestant,
    round: u32,
    dice: &mut Dice,
    what: &str,
    show: Show,
) -> Result<Vec<Claim>> {
    let step = ring.progress.step(format!(
        "Round {}/{}: {what} seen by {contestant}",
        round + 1,
        ring.plan.rounds
    ));
    let mut crew = Crew::start(&ring.crew_program)?;
    let watcher = ring.watch(contestant, &crew)?;
    let all = if what == "spikes" { ring.plan.spikes_per_round } else { ring.plan.brief_per_round };
    let truths = show(ring, &mut crew, dice, &|done| count(&step, done, all, what))
        .with_context(|| format!("showing {what} to {contestant}"))?;
    let watched = watcher.finish().with_context(|| format!("ending {contestant}"))?;
    crew.finish()?;
    step.done(format!("{} shown", truths.len()));
    Ok(claims(&truths, &watched))
}

fn claims(truths: &[Truth], watched: &Watched) -> Vec<Claim> {
    let claim =
        |truth: &Truth| Claim { truth: truth.peak, said: watched.peaks.get(&truth.pid).copied() };
    truths.iter().map(claim).collect()
}

/// One process for each spike, which then stays: its mark is there to be read.
fn spikes(
    ring: &Ring<'_>,
    crew: &mut Crew,
    dice: &mut Dice,
    done: &dyn Fn(u32),
) -> Result<Vec<Truth>> {
    let mut truths = Vec::new();
    for number in 0..ring.plan.spikes_per_round {
        done(number);
        let after = dice.millis_between(100, 400);
        crew.order(Task::Spike { mib: usize::try_from(SPIKE_MIB)?, after, lasting: SPIKE_LASTS })?;
        truths.push(next_truth(ring, crew)?);
    }
    Ok(truths)
}

fn brief(
    ring: &Ring<'_>,
    crew: &mut Crew,
    dice: &mut Dice,
    done: &dyn Fn(u32),
) -> Result<Vec<Truth>> {
    let mut truths = Vec::new();
    for number in 0..ring.plan.brief_per_round {
        done(number);
        let mib = usize::try_from(dice.between(40, 120))?;
        crew.order(Task::Brief { mib, lasting: dice.millis_between(100, 300) })?;
        truths.push(next_truth(ring, crew)?);
        ring.wait(dice.millis_between(0, 50))?;
    }
    // The last one's end is to be seen, too.
    ring.wait(Duration::from_millis(100))?;
    Ok(truths)
}

fn next_truth(ring: &Ring<'_>, crew: &Crew) -> Result<Truth> {
    loop {
        if let Report::Peak { pid, kib } = report(ring, crew)? {
            return Ok(Truth { pid, peak: ByteSize(kib << 10) });
        }
    }
}
