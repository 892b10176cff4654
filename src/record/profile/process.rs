//! `processes.json`: each process over its whole life, and what watching cost.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::{Document, Version, v2};
use crate::units::ByteSize;

/// All processes that the profiler saw, and what watching them cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessTable {
    /// Format of this file.
    pub version: Version<3>,
    /// One record for each process.
    pub processes: Vec<ProcessRecord>,
    /// Times at which the kernel had more to tell than it could keep for the profiler:
    /// processes may have come and gone unknown.
    pub dropped_events: u64,
    /// The profiler's own cost and punctuality.
    pub profiler: ProfilerCost,
}

impl Document for ProcessTable {
    const KIND: &'static str = "process table";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(_version: u32, content: Value) -> Value {
        v2::other(content)
    }
}

/// One process of the tree, over its whole life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessRecord {
    /// Which process.
    pub identity: ProcessIdentity,
    /// Its parent when it was first seen.
    pub parent: u32,
    /// Its last known class.
    pub class: ProcessClass,
    /// The first word of its command line, as last seen.
    pub title: String,
    /// What it is, in a word or two for a reader: `ssh`, `container_memory.py`. `None`
    /// when its command line was never read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When its memory was last read.
    pub last_read: Option<Timestamp>,
    /// Its peak; `None` when its memory was never read.
    pub peak: Option<ByteSize>,
    /// Its peak up to when it took its title, for a worker seen untitled.
    pub peak_while_starting: Option<ByteSize>,
    /// The most of it that was in swap at one reading, if anything was: its peak is a
    /// lower bound then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swapped: Option<ByteSize>,
    /// The most threads that it had.
    pub threads: u32,
    /// The fastest that its mark was seen to rise from one reading to the next, in bytes
    /// per second; `None` when it was not read twice.
    pub fastest_growth: Option<ByteSize>,
    /// How it ended, as far as the profiler knows.
    pub ending: Ending,
}

/// How a process left the profiler's sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It lived when the profiler ended: its peak is exact, unless it had pages in swap.
    Alive,
    /// It exited, and the kernel's record of that has its mark: its peak is exact, unless
    /// it had pages in swap.
    Recorded,
    /// It exited without a final reading: its peak is a lower bound.
    Unread {
        /// The time between its last reading and the moment at which it was found to be
        /// gone, in which it may have grown; `None` when it was never read.
        #[serde(with = "crate::units::duration::option")]
        unseen: Option<Duration>,
    },
}

/// What profiling cost, and how punctual it was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfilerCost {
    /// Ticks taken.
    pub samples: u64,
    /// Ticks that fell away since the one before took too long.
    pub missed_samples: u64,
    /// Ticks per second that were achieved.
    pub rate_hz: f64,
    /// CPU time of the profiler, user and system.
    #[serde(with = "crate::units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub cpu: Duration,
    /// Its own peak memory.
    pub peak: ByteSize,
    /// The longest time between two ticks.
    #[serde(with = "crate::units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub longest_gap: Duration,
}
