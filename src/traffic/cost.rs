//! What the scenario itself costs, from the kernel's own accounts (getrusage(2)).

use std::time::Duration;

use crate::units::ByteSize;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::outcome::ClientCost;

/// The cost of this process and of its children that have ended, up to now.
pub(super) fn so_far() -> ClientCost {
    let own = getrusage(UsageWho::RUSAGE_SELF).ok();
    let children = getrusage(UsageWho::RUSAGE_CHILDREN).ok();
    let cpu = |usage: &Usage| {
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    };
    ClientCost {
        own_cpu: own.as_ref().map(cpu).unwrap_or_default(),
        own_peak: own.as_ref().map(peak).unwrap_or_default(),
        children_cpu: children.as_ref().map(cpu).unwrap_or_default(),
        largest_child: children.as_ref().map(peak).filter(|peak| *peak > ByteSize(0)),
    }
}

/// `ru_maxrss` is in kilobytes everywhere but on macOS, where it is in bytes.
fn peak(usage: &Usage) -> ByteSize {
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    ByteSize(u64::try_from(usage.max_rss()).unwrap_or_default() * unit)
}
