//! What this process and its children have cost, from the kernel's own accounts
//! (getrusage(2)). Read by everything that says what it costs.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::units::ByteSize;

/// CPU time and memory, up to now; nothing where the kernel doesn't tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Peak resident memory; of children, that of the largest.
    pub peak: ByteSize,
}

impl Usage {
    /// Of this process.
    pub fn own() -> Self {
        Self::of(UsageWho::RUSAGE_SELF)
    }

    /// Of its children that have ended.
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
