//! The profiler on real processes: what it finds, what it writes, how it ends.
//!
//! The processes are shells and sleeps that the tests start themselves, and a
//! stand-in server whose memory is known. The profiler runs in a thread here and in a process of its own in `xtask`; it
//! cannot tell the difference.

#![cfg(target_os = "linux")]

mod accuracy;
mod bench;
mod brief;
mod ending;
mod finding;
mod original;

use bench::Bench;
