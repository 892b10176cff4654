//! Workloads as processes: what they promise, and what the profiler says of them.

#![cfg(target_os = "linux")]

mod profile;
mod profiler;
mod promises;

use std::path::Path;

use bench::workload::Workload;

/// The program that workloads are made of.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bench");

/// A workload without workers.
fn workload() -> anyhow::Result<Workload> {
    Workload::start(Path::new(PROGRAM))
}
