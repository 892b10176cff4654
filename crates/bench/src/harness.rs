//! Harness of all measurements: candidates, workloads, interruption, progress.

use std::path::Path;

use anyhow::{Context as _, Result};
use bench::workload::Workload;
use fake_sky::title::THIS_PROGRAM;
use host::progress::Progress;
use host::signals::Signals;
use skyload::ids::ProcessIdentity;

use crate::candidate::{Candidate, Candidates};
use crate::plan::Plan;
use crate::watcher::{Programs, Watcher};

/// Harness of one run of the benchmark.
pub(crate) struct Harness {
    pub(crate) plan: Plan,
    pub(crate) candidates: Candidates,
    pub(crate) programs: Programs,
    pub(crate) signals: Signals,
    pub(crate) progress: Progress,
}

impl Harness {
    /// Finds the candidates of this machine. The levels of the profiler are tried on a
    /// workload without workers.
    pub(crate) fn new(plan: Plan, programs: Programs, signals: Signals) -> Result<Self> {
        let workload = workload()?;
        let candidates = Candidates::find(root_of(&workload)?)?;
        workload.finish()?;
        Ok(Self { plan, candidates, programs, signals, progress: Progress::new() })
    }

    /// Candidates with their indices. Each round begins with another candidate, so that none
    /// always has the same position.
    pub(crate) fn rotated(&self, round: u32) -> impl Iterator<Item = (usize, &Candidate)> {
        let candidates = &self.candidates.all;
        let count = candidates.len();
        // `count` is not 0: the psutil and sysinfo loops are always candidates.
        let first = usize::try_from(round).unwrap_or_default() % count;
        (0..count).map(move |step| {
            let index = (first + step) % count;
            (index, &candidates[index])
        })
    }

    /// Starts a candidate that watches a workload.
    pub(crate) fn watch(&self, candidate: &Candidate, workload: &Workload) -> Result<Watcher> {
        Watcher::start(candidate, root_of(workload)?, &self.programs)
    }
}

/// Starts a workload without workers, which runs this program.
pub(crate) fn workload() -> Result<Workload> {
    Workload::start(Path::new(THIS_PROGRAM))
}

fn root_of(workload: &Workload) -> Result<ProcessIdentity> {
    ProcessIdentity::of(workload.pid()).context("the root of the workload has exited")
}
