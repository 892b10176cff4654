//! Machine, directories and settings, which all benchmarks share.

use anyhow::Result;
use host::lock::FileLock;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::ids::RunId;
use skyload::plan::{LoadPlan, Machine};
use skyload::record::RunDir;

use crate::server::clean_up_after_dead_runs;

/// Machine, directories and settings of a benchmark.
pub(super) struct Site {
    pub(super) workspace: Workspace,
    pub(super) machine: Machine,
    /// Plan with which a server is started.
    pub(super) server: LoadPlan,
    pub(super) signals: Signals,
    pub(super) progress: Progress,
}

impl Site {
    /// Takes the lock of runs, and cleans up after those that are dead.
    pub(super) fn begin(&self) -> Result<FileLock> {
        let lock = self.workspace.lock()?;
        clean_up_after_dead_runs(&self.workspace, true, self.progress)?;
        Ok(lock)
    }

    /// Creates the directory of the benchmark's files.
    pub(super) fn run_dir(&self) -> Result<RunDir> {
        Ok(RunDir::create(&self.workspace.bench().join(RunId::generate().as_str()))?)
    }
}
