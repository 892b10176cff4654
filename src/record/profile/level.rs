//! How peaks are read: as was asked for, and as the machine grants.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How peaks are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LevelChoice {
    /// As exactly as the machine grants.
    #[default]
    Best,
    /// With the kernel's exit records, or not at all.
    ExitRecords,
    /// By high-water marks at each tick, even where more would be granted.
    HighWaterMark,
    /// By sampling resident memory, even where there are marks.
    Sampled,
}

impl LevelChoice {
    /// The name in flags and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::ExitRecords => "exit-records",
            Self::HighWaterMark => "high-water-mark",
            Self::Sampled => "sampled",
        }
    }
}

/// How exactly this machine lets peaks be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProfilerLevel {
    /// The kernel's own high-water mark of each process, as `VmHWM` of proc(5) while it
    /// lives and from its exit record (taskstats, `hiwater_rss`) when it ends: misses
    /// nothing.
    ExitRecords,
    /// `VmHWM`, read at each tick: misses what a process allocates after its last.
    HighWaterMark,
    /// The same of another user's processes, whose proportional memory, environment and
    /// sockets are out of sight.
    HighWaterMarkOfAnother,
    /// Resident memory by sampling, where the kernel offers no mark: short peaks
    /// are missed.
    SampledRss,
}
