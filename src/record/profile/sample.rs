//! Samples of the server's processes, of the machine, and by the rule of upstream's script.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::units::ByteSize;

/// Sample of all server processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sample {
    /// Time at which reading began.
    pub at: Timestamp,
    /// Delay of the sample after its scheduled time, in microseconds.
    pub late_micros: u64,
    /// RSS by class; a class without processes is left out.
    pub classes: BTreeMap<ProcessClass, ClassSample>,
    /// Number of zombies: processes that exited and were not waited for by their parents.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub zombies: u32,
    /// Number of samples since the previous one in the file that were left out of a long profile.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
    /// Figures of the machine, which are read less often; `None` in the samples between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemSample>,
}

/// Processes of one class in a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassSample {
    /// Number of processes.
    pub count: u32,
    /// Sum of RSS; a shared page counts once per process.
    pub rss_sum: ByteSize,
    /// RSS of the largest process.
    pub rss_max: ByteSize,
    /// Number of threads.
    pub threads: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// CPU and memory use of the machine in a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SystemSample {
    /// CPU use since the previous reading, in percent of all CPUs.
    pub cpu_percent: f32,
    /// Memory in use.
    pub memory_used: ByteSize,
    /// Memory available without swapping, or below the memory limit of the server's control
    /// group, whichever is less.
    pub memory_available: ByteSize,
}

/// Sample of executors by the rule of upstream's script: all processes of the machine with the
/// keyword anywhere in their command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UpstreamSample {
    /// Time at which reading ended.
    pub at: Timestamp,
    /// Processes with the keyword `SkyPilot:executor:short`.
    pub short: KeywordMemory,
    /// Processes with the keyword `SkyPilot:executor:long`.
    pub long: KeywordMemory,
}

/// Processes with one keyword in a sample by upstream's rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KeywordMemory {
    /// Number of processes.
    pub count: u32,
    /// Sum of RSS.
    pub rss_sum: ByteSize,
    /// RSS of the largest process.
    pub rss_max: ByteSize,
}

impl KeywordMemory {
    /// Mean RSS; `None` without processes.
    pub fn mean(&self) -> Option<ByteSize> {
        self.rss_sum.as_u64().checked_div(u64::from(self.count)).map(ByteSize)
    }
}
