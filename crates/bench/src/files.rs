//! The files in which the steps meet.

use std::path::PathBuf;

use skyload::record::RunDir;

/// How much is measured: written by whoever runs the steps.
pub(crate) fn plan(run: &RunDir) -> PathBuf {
    run.path().join("bench-plan.json")
}

/// The effect on a server; absent where that was not measured.
pub(crate) fn effect(run: &RunDir) -> PathBuf {
    run.path().join("effect.json")
}

/// Everything that was found.
pub(crate) fn findings(run: &RunDir) -> PathBuf {
    run.path().join("profiler.json")
}

/// The same as tables for docs/peaks.md.
pub(crate) fn tables(run: &RunDir) -> PathBuf {
    run.path().join("profiler.md")
}
