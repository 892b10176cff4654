//! CPU time and memory of this process and its children, from getrusage(2).

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::units::ByteSize;

/// CPU time and memory until now; zero if getrusage(2) fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// CPU time, user and system.
    pub cpu: Duration,
    /// Peak RSS in bytes; for children, the peak of the largest one.
    pub peak: ByteSize,
}

impl Usage {
    /// Usage of this process.
    pub fn own() -> Self {
        Self::of(UsageWho::RUSAGE_SELF)
    }

    /// Usage of the children that have exited and were waited for.
    pub fn of_children() -> Self {
        Self::of(UsageWho::RUSAGE_CHILDREN)
    }

    fn of(who: UsageWho) -> Self {
        let Ok(usage) = getrusage(who) else { return Self::default() };
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        // `ru_maxrss` is in kilobytes everywhere but on macOS, where it is in bytes.
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        Self {
            cpu: Duration::from_micros(u64::try_from(micros).unwrap_or_default()),
            peak: ByteSize(u64::try_from(usage.max_rss()).unwrap_or_default() * unit),
        }
    }
}
