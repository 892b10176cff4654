//! The profiler on workloads, whose workers tell the truth about themselves.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bench::workload::{Report, Task, Workload};
use skyload::class::ProcessClass;
use skyload::record::profile::Ending;
use skyload::units::ByteSize;

use super::profile::{Profiling, record};
use super::workload;

const PATIENCE: Duration = Duration::from_secs(20);

/// A peak that is off by more is wrong.
const TOLERANCE: u64 = 512 << 10;

/// Waits for the next worker that has done its work.
fn peak(workload: &Workload) -> anyhow::Result<(u32, u64)> {
    loop {
        let report = workload.report_within(PATIENCE)?.context("the workload is silent")?;
        if let Report::Peak { pid, kib } = report {
            return Ok((pid, kib << 10));
        }
    }
}

#[test]
fn the_peak_of_every_spike_is_what_its_process_says() -> anyhow::Result<()> {
    let mut workload = workload()?;
    let profiling = Profiling::start(workload.pid())?;
    let mut truths = Vec::new();
    for millis in [20, 50, 110] {
        let (after, lasting) = (Duration::from_millis(millis), Duration::from_millis(5));
        workload.order(Task::Spike { mib: 100, after, lasting })?;
        truths.push(peak(&workload)?);
    }
    let profile = profiling.finish()?;
    for (pid, truth) in truths {
        let record = record(&profile, pid).context("it lives on")?;
        assert_eq!((record.class, record.ending), (ProcessClass::ShortExecutor, Ending::Alive));
        let said = record.peak.context("it was read")?.as_u64();
        assert!(said.abs_diff(truth) <= TOLERANCE, "{record:?}: {truth} bytes in truth");
    }
    workload.finish()
}

#[test]
fn a_brief_process_is_never_said_to_have_been_larger_than_it_was() -> anyhow::Result<()> {
    let mut workload = workload()?;
    // Its children begin with its own memory: none of that may be theirs.
    let profiling = Profiling::start(workload.pid())?;
    let mut truths = Vec::new();
    for mib in [10, 40, 80] {
        workload.order(Task::Brief { mib, lasting: Duration::from_millis(150) })?;
        truths.push(peak(&workload)?);
    }
    for (pid, _) in &truths {
        // Reaped: nothing of it is left to be read.
        while Path::new(&format!("/proc/{pid}")).exists() {
            std::thread::yield_now();
        }
    }
    let profile = profiling.finish()?;
    for (pid, truth) in truths {
        let Some(record) = record(&profile, pid) else { continue };
        assert_ne!(record.ending, Ending::Alive);
        let said = record.peak.unwrap_or(ByteSize(0)).as_u64();
        assert!(said <= truth + TOLERANCE, "{record:?}: {truth} bytes in truth");
    }
    workload.finish()
}
