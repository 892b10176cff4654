//! Workloads as processes: behavior of the workers, and the profiler's figures for them.

#![cfg(target_os = "linux")]

mod profile;
mod profiler;
mod workers;

use std::path::Path;

use bench::workload::Workload;

/// Program of the workloads.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bench");

/// Starts a workload without workers.
fn workload() -> anyhow::Result<Workload> {
    Workload::start(Path::new(PROGRAM))
}
