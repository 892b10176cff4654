//! How peaks are read: as was asked for, and as the machine grants.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How peaks are to be read, as `--help` describes it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LevelChoice {
    /// As exactly as this machine grants.
    #[default]
    Best,
    /// With the kernel's exit records, or not at all.
    ExitRecords,
    /// By the kernel's high-water marks at each look.
    HighWaterMark,
    /// By sampling resident memory: short peaks are missed.
    Sampled,
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
