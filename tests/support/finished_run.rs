//! Run that the gate judges.

use std::path::Path;

use anyhow::Context;
use skyload::analysis::Report;
use skyload::env;
use skyload::record::{RunDir, read};

/// Report of the run that `SKYLOAD_RUN_DIR` names, or of the latest run.
pub(crate) fn finished_run() -> anyhow::Result<Report> {
    let path = env::path(env::RUN_DIR).unwrap_or_else(|| {
        let state = env::path(env::STATE_DIR)
            .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/skyload"));
        state.join("runs/latest")
    });
    let run = RunDir::open(&path)
        .context("no finished run found\n  hint: start one with `cargo xtask load`")?;
    read(&run.report()).with_context(|| {
        format!(
            "the run has no report\n  hint: create it with `cargo xtask report {}`",
            run.path().display()
        )
    })
}
