//! Methods of reading peaks: the requested one, and the one in use.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Requested method of reading peaks, as described in `--help`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LevelChoice {
    /// Most exact method that is available on this machine.
    #[default]
    Best,
    /// Exit records of the kernel (taskstats); an error if not available.
    ExitRecords,
    /// High-water marks (VmHWM) at each sample.
    HighWaterMark,
    /// Sampled RSS: short peaks are missed.
    Sampled,
}

/// Method of reading peaks that a profiler uses, by what is available on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProfilerLevel {
    /// High-water mark of each process: `VmHWM` of proc(5) while the process lives, and
    /// `hiwater_rss` of its exit record (taskstats) after that. No peak is missed.
    ExitRecords,
    /// High-water mark (`VmHWM`), read at each sample: growth of a process after its last
    /// sample is missed.
    HighWaterMark,
    /// High-water mark (`VmHWM`) of another user's processes, whose PSS, environment and
    /// sockets cannot be read.
    HighWaterMarkOfAnother,
    /// Sampled RSS, on a kernel without high-water marks: short peaks are missed.
    SampledRss,
}
