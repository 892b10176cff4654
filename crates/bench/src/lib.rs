//! Workloads for the benchmark of profilers.
//!
//! A package of its own, because a workload consists of *processes* of known memory, which
//! run this package's program, `bench`. The program does the measuring; the workloads are a
//! library, so that tests of the profiler can use them too. `cargo xtask bench` prepares the
//! prerequisites of the program and runs it.

pub mod workload;
