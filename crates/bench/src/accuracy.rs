//! Measurement of the accuracy of each candidate: peaks of short spikes, and of brief
//! processes.
//!
//! Each spike is in a process of its own, and each process reports its own peak afterwards.
//! All candidates get the same sizes and delays, from the seed of the round. The time between
//! a candidate's sample and a spike is left to chance.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bench::workload::{Report, Task, Workload};
use fastrand::Rng;
use skyload::units::ByteSize;

use crate::candidate::Candidate;
use crate::harness::{Harness, workload};
use crate::overhead::report;
use crate::plan::{SPIKE_DURATION, SPIKE_MIB};
use crate::statistics::PeakComparison;

/// Accuracy of one candidate in one round.
#[derive(Debug)]
pub(crate) struct AccuracyMeasurement {
    /// Index of the candidate.
    pub(crate) candidate: usize,
    pub(crate) spikes: Vec<PeakComparison>,
    pub(crate) brief: Vec<PeakComparison>,
}

/// Peak that a process reports about itself.
struct ActualPeak {
    pid: u32,
    peak: ByteSize,
}

/// Measures each candidate with spikes and with brief processes once.
pub(crate) fn measure_round(harness: &Harness, round: u32) -> Result<Vec<AccuracyMeasurement>> {
    let mut measurements = Vec::new();
    for (index, candidate) in harness.rotated(round) {
        let mut rng = Rng::with_seed(harness.plan.seed + u64::from(round));
        let mut measure_with = |name: &str, count: u32, run_process: RunProcess| {
            let step = harness.progress.step(format!(
                "Round {}/{}: {name}, {candidate}",
                round + 1,
                harness.plan.rounds
            ));
            let comparisons = measure(harness, candidate, |workload| {
                let peaks = (0..count).map(|number| {
                    step.update(format!("{number} of {count}"));
                    run_process(harness, workload, &mut rng)
                });
                peaks.collect()
            })
            .with_context(|| format!("measuring {candidate} with {name}"))?;
            step.done(format!("{count} measured"));
            anyhow::Ok(comparisons)
        };
        let spikes = measure_with("spikes", harness.plan.spikes_per_round, spike)?;
        let brief = measure_with("brief processes", harness.plan.brief_per_round, brief)?;
        measurements.push(AccuracyMeasurement { candidate: index, spikes, brief });
    }
    Ok(measurements)
}

/// Function that runs one process of a workload, and returns the peak it reports.
type RunProcess = fn(&Harness, &mut Workload, &mut Rng) -> Result<ActualPeak>;

fn measure(
    harness: &Harness,
    candidate: &Candidate,
    run_processes: impl FnOnce(&mut Workload) -> Result<Vec<ActualPeak>>,
) -> Result<Vec<PeakComparison>> {
    let mut workload = workload()?;
    let watcher = harness.watch(candidate, &workload)?;
    let peaks = run_processes(&mut workload)?;
    // The candidate ends first: it must still see the processes that had a spike.
    let observation = watcher.finish()?;
    workload.finish()?;
    Ok(compare(&peaks, &observation.peaks))
}

fn compare(peaks: &[ActualPeak], reported: &HashMap<u32, ByteSize>) -> Vec<PeakComparison> {
    let comparison = |actual: &ActualPeak| PeakComparison {
        actual: actual.peak,
        reported: reported.get(&actual.pid).copied(),
    };
    peaks.iter().map(comparison).collect()
}

/// Runs a process with a spike. The process then stays, so that its high-water mark can be
/// read.
fn spike(harness: &Harness, workload: &mut Workload, rng: &mut Rng) -> Result<ActualPeak> {
    let (mib, after) = (usize::try_from(SPIKE_MIB)?, millis(rng, 100..=400));
    workload.start_worker(Task::Spike { mib, after, lasting: SPIKE_DURATION })?;
    next_peak(harness, workload)
}

/// Runs a brief process. It has exited before the next one starts.
fn brief(harness: &Harness, workload: &mut Workload, rng: &mut Rng) -> Result<ActualPeak> {
    let mib = rng.usize(40..=120);
    workload.start_worker(Task::Brief { mib, lasting: millis(rng, 100..=300) })?;
    let peak = next_peak(harness, workload)?;
    // Time for the candidate to see the exit, also of the last process.
    harness.signals.wait(millis(rng, 50..=100))?;
    Ok(peak)
}

/// Random duration within bounds in milliseconds.
fn millis(rng: &mut Rng, bounds: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(rng.u64(bounds))
}

fn next_peak(harness: &Harness, workload: &Workload) -> Result<ActualPeak> {
    loop {
        if let Report::Peak { pid, kib } = report(&harness.signals, workload)? {
            return Ok(ActualPeak { pid, peak: ByteSize(kib << 10) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actual_peak_is_compared_with_the_reported_one_of_the_same_process() {
        let actual = |pid, mib| ActualPeak { pid, peak: ByteSize::mib(mib) };
        let reported = HashMap::from([(7, ByteSize::mib(70)), (9, ByteSize::mib(1))]);
        let comparisons = compare(&[actual(7, 80), actual(8, 90)], &reported);
        let comparison = |actual, reported: Option<u64>| PeakComparison {
            actual: ByteSize::mib(actual),
            reported: reported.map(ByteSize::mib),
        };
        assert_eq!(comparisons, [comparison(80, Some(70)), comparison(90, None)]);
    }
}
