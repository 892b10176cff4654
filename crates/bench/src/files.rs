//! Files that the steps share.

use std::path::PathBuf;

use skyload::record::RunDir;

/// Path of the plan, which `cargo xtask bench` writes.
pub(crate) fn plan(run: &RunDir) -> PathBuf {
    run.path().join("bench-plan.json")
}

/// Path of the effect on a server; no such file if the step was skipped.
pub(crate) fn effect(run: &RunDir) -> PathBuf {
    run.path().join("effect.json")
}

/// Path of the results of all steps.
pub(crate) fn results(run: &RunDir) -> PathBuf {
    run.path().join("profiler.json")
}

/// Path of the results as Markdown tables, for docs/peaks.md.
pub(crate) fn tables(run: &RunDir) -> PathBuf {
    run.path().join("profiler.md")
}

/// Path of the measurement against SkyPilot's SDK; no such file if the step was skipped.
pub(crate) fn sdk(run: &RunDir) -> PathBuf {
    run.path().join("sdk.json")
}

/// Path of the results of `bench client`.
pub(crate) fn client_results(run: &RunDir) -> PathBuf {
    run.path().join("client.json")
}

/// Path of the results of `bench client` as Markdown tables, for docs/load-generator.md.
pub(crate) fn client_tables(run: &RunDir) -> PathBuf {
    run.path().join("client.md")
}
