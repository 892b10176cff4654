//! The workloads on which profilers are measured.
//!
//! Why this is a package of its own: a workload is made of *processes* whose memory is
//! known, and which are this package's program, started again. The measuring is in that
//! program, `bench`; the workloads are a library, so that tests of the profiler can have
//! them, too. `cargo xtask bench` prepares what the program needs, and runs it.

pub mod workload;
