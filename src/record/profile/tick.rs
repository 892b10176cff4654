//! What one tick sees, and what the original tool would have seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::units::ByteSize;

/// One look at all processes of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sample {
    /// When the tick began.
    pub at: Timestamp,
    /// How much later than planned that was.
    pub late_micros: u64,
    /// Resident memory by class; a class without a process is left out.
    pub classes: BTreeMap<ProcessClass, ClassSample>,
    /// Processes that have ended and that no parent has waited for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub zombies: u32,
    /// The machine as a whole, at every few ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemSample>,
}

/// The processes of one class at one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassSample {
    /// How many there are.
    pub count: u32,
    /// Sum of their resident memory (shared pages count once for each process).
    pub rss_sum: ByteSize,
    /// Resident memory of the largest of them.
    pub rss_max: ByteSize,
    /// Their threads.
    pub threads: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The machine at one tick.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SystemSample {
    /// Use of all CPUs since the last such reading, in percent of all of them.
    pub cpu_percent: f32,
    /// Memory in use.
    pub memory_used: ByteSize,
    /// Memory that could still be had without swapping.
    pub memory_available: ByteSize,
}

/// One look at the machine's executors by the rule of the original tool: whatever has
/// the keyword anywhere in its command line, on the whole machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UpstreamSample {
    /// When it ended.
    pub at: Timestamp,
    /// `SkyPilot:executor:short`.
    pub short: KeywordMemory,
    /// `SkyPilot:executor:long`.
    pub long: KeywordMemory,
}

/// Processes with one keyword at one look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeywordMemory {
    /// How many there are.
    pub count: u32,
    /// Their resident memory in sum.
    pub rss_sum: ByteSize,
    /// Resident memory of the largest.
    pub rss_max: ByteSize,
}

impl KeywordMemory {
    /// Their mean resident memory, if there are any.
    pub fn mean(&self) -> Option<ByteSize> {
        self.rss_sum.as_u64().checked_div(u64::from(self.count)).map(ByteSize)
    }
}
