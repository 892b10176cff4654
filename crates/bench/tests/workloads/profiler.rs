//! Peaks of the profiler, compared with those that the workers report themselves.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bench::workload::{Report, Task, Workload};
use skyload::class::ProcessClass;
use skyload::record::profile::Ending;
use skyload::units::ByteSize;

use super::profile::{Profiling, record};
use super::workload;

const REPORT_TIMEOUT: Duration = Duration::from_secs(20);

/// Tolerance of a peak, in bytes: the kernel updates high-water marks approximately.
const TOLERANCE: u64 = 512 << 10;

/// Waits for the next worker that has done its task, and returns its pid and peak in bytes.
fn peak(workload: &Workload) -> anyhow::Result<(u32, u64)> {
    loop {
        let report =
            workload.report_within(REPORT_TIMEOUT)?.context("no report of a worker in 20 s")?;
        if let Report::Peak { pid, kib } = report {
            return Ok((pid, kib << 10));
        }
    }
}

#[test]
fn the_peak_of_every_spike_is_the_one_that_its_process_reports() -> anyhow::Result<()> {
    let mut workload = workload()?;
    let profiling = Profiling::start(workload.pid())?;
    let mut peaks = Vec::new();
    for millis in [20, 50, 110] {
        let (after, lasting) = (Duration::from_millis(millis), Duration::from_millis(5));
        workload.start_worker(Task::Spike { mib: 100, after, lasting })?;
        peaks.push(peak(&workload)?);
    }
    let profile = profiling.finish()?;
    for (pid, actual) in peaks {
        let record = record(&profile, pid).context("no record of the worker")?;
        assert_eq!((record.class, record.ending), (ProcessClass::ShortExecutor, Ending::Alive));
        let recorded = record.peak.context("no peak in the worker's record")?.as_u64();
        assert!(recorded.abs_diff(actual) <= TOLERANCE, "{record:?}: actual peak {actual} bytes");
    }
    workload.finish()
}

#[test]
fn the_peak_of_a_brief_process_is_never_too_high() -> anyhow::Result<()> {
    let mut workload = workload()?;
    // A worker starts as a fork of the root, with the root's memory, which must not count as
    // the worker's.
    let profiling = Profiling::start(workload.pid())?;
    let mut peaks = Vec::new();
    for mib in [10, 40, 80] {
        workload.start_worker(Task::Brief { mib, lasting: Duration::from_millis(150) })?;
        peaks.push(peak(&workload)?);
    }
    for (pid, _) in &peaks {
        // Wait until the process is reaped and cannot be read any more.
        while Path::new(&format!("/proc/{pid}")).exists() {
            std::thread::yield_now();
        }
    }
    let profile = profiling.finish()?;
    for (pid, actual) in peaks {
        // Without kernel events, a brief process may be in no sample.
        let Some(record) = record(&profile, pid) else { continue };
        assert_ne!(record.ending, Ending::Alive);
        let recorded = record.peak.unwrap_or(ByteSize(0)).as_u64();
        assert!(recorded <= actual + TOLERANCE, "{record:?}: actual peak {actual} bytes");
    }
    workload.finish()
}
