//! Tests of the profiler on real processes: discovery, accuracy, files, and shutdown.
//!
//! The processes are shells that the tests start, and a fake server whose memory is known.
//! The profiler runs in a thread here, and in a process of its own in `xtask`; the code is
//! the same.

#![cfg(target_os = "linux")]

mod accuracy;
mod discovery;
mod harness;
mod short_lived;
mod shutdown;
mod upstream;

use harness::ProfilerHarness;
