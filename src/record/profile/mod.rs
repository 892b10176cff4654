//! What the profiler writes down: the contract between it and the report.
//!
//! `samples.jsonl` holds one [`ProfileLine`] per line, in the order of time, and
//! is readable up to its last complete line. `processes.json` holds one
//! [`ProcessTable`], written when the profiler ends.

mod level;
mod phase;
mod process;
mod tick;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use level::{LevelChoice, ProfilerLevel};
pub use phase::{ClassSnapshot, Phase, PhasePeaks, Snapshot, Window};
pub use process::{Ending, ProcessRecord, ProcessTable, ProfilerCost};
pub use tick::{ClassSample, KeywordMemory, Sample, SystemSample, UpstreamSample};

use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::{Log, Version, v2};
use crate::units::ByteSize;

/// One line of `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ProfileLine {
    /// Always the first line.
    Header(ProfileHeader),
    /// One tick of the sampling loop.
    Sample(Sample),
    /// Proportional memory of the whole tree, read at the end of a phase.
    Snapshot(Snapshot),
    /// Peaks of one phase, where they were asked for.
    PhasePeaks(PhasePeaks),
    /// What the original tool would have seen, where that was asked for. Stands before
    /// the tick at which it was written down, and may be older than the one before.
    Upstream(UpstreamSample),
    /// The server's main process was not there any more.
    ServerGone {
        /// When the profiler noticed.
        at: Timestamp,
    },
    /// The last line of a profiler that ended in good order.
    Footer {
        /// When it ended.
        at: Timestamp,
        /// What it had written by then; `None` where the profiler did not count that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wrote: Option<Wrote>,
    },
}

impl Log for ProfileLine {
    const KIND: &'static str = "profile";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(_version: u32, line: Value) -> Value {
        v2::profile_line(line)
    }
}

/// What a profiler has written in all, by its own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wrote {
    /// Lines of `samples.jsonl` before the last.
    pub lines: u64,
    /// Processes in `processes.json`.
    pub processes: u64,
}

/// What was profiled, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfileHeader {
    /// Format of this file.
    pub version: Version<3>,
    /// When the profiler started.
    pub at: Timestamp,
    /// The main process of the server.
    pub root: ProcessIdentity,
    /// The distance between two ticks that was asked for.
    #[serde(with = "crate::units::duration")]
    pub interval: Duration,
    /// How peaks are read on this machine.
    pub level: ProfilerLevel,
    /// The kernel tells of each fork, exec and exit: no process is too brief to be
    /// known of. Without, one that lives between two ticks is not.
    pub kernel_events: bool,
    /// The machine's memory.
    pub memory_total: ByteSize,
    /// The machine's CPUs.
    pub cpus: usize,
}
