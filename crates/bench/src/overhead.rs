//! Measurement of the overhead of each candidate, by the number of processes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bench::workload::{Report, Task, Workload};
use host::signals::Signals;

use crate::candidate::Candidate;
use crate::harness::{Harness, workload};
use crate::plan::WORKER_MIB;
use crate::watcher::Observation;

/// Time limit of a worker's report. Long, since the machine may be busy with other workers.
const REPORT_TIMEOUT: Duration = Duration::from_secs(60);

/// Overhead of one candidate at one number of workers in one round.
#[derive(Debug)]
pub(crate) struct OverheadMeasurement {
    pub(crate) workers: u32,
    /// Index of the candidate.
    pub(crate) candidate: usize,
    pub(crate) observation: Observation,
}

/// Measures each candidate at each number of workers once.
pub(crate) fn measure_round(harness: &Harness, round: u32) -> Result<Vec<OverheadMeasurement>> {
    let mut measurements = Vec::new();
    for &workers in &harness.plan.workers {
        let step = harness.progress.step(format!(
            "Round {}/{}: overhead with {workers} workers",
            round + 1,
            harness.plan.rounds
        ));
        let mut workload = workload()?;
        for _ in 0..workers {
            workload.start_worker(Task::Idle { mib: usize::try_from(WORKER_MIB)? })?;
        }
        // Workers that still fill their memory would take CPU time from the first candidate.
        for _ in 0..workers {
            ready(&harness.signals, &workload)?;
        }
        for (index, candidate) in harness.rotated(round) {
            step.update(candidate.to_string());
            let observation = measure(harness, candidate, &workload)
                .with_context(|| format!("measuring {candidate} with {workers} workers"))?;
            measurements.push(OverheadMeasurement { workers, candidate: index, observation });
        }
        workload.finish()?;
        step.done("measured");
    }
    Ok(measurements)
}

fn measure(harness: &Harness, candidate: &Candidate, workload: &Workload) -> Result<Observation> {
    let watcher = harness.watch(candidate, workload)?;
    harness.signals.wait(harness.plan.window)?;
    watcher.finish()
}

/// Waits for a worker to be ready.
pub(crate) fn ready(signals: &Signals, workload: &Workload) -> Result<()> {
    match report(signals, workload)? {
        Report::Ready { .. } => Ok(()),
        peak @ Report::Peak { .. } => {
            bail!("expected the report `ready` of a worker, got `{peak}`")
        }
    }
}

/// Next report of a workload. An error if the user interrupts the benchmark.
pub(crate) fn report(signals: &Signals, workload: &Workload) -> Result<Report> {
    /// Interval of the check for an interruption.
    const CHECK_INTERVAL: Duration = Duration::from_millis(100);
    let deadline = Instant::now() + REPORT_TIMEOUT;
    while Instant::now() < deadline {
        signals.check()?;
        if let Some(report) = workload.report_within(CHECK_INTERVAL)? {
            return Ok(report);
        }
    }
    bail!("no report of a worker within {}", humantime::format_duration(REPORT_TIMEOUT))
}
