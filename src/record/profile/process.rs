//! Process table of a profile, `processes.json`: one record per process, and the profiler's
//! overhead.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::{Document, Version, v2};
use crate::units::ByteSize;

/// Process table of a profile, content of `processes.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessTable {
    /// Format of the file.
    pub version: Version<3>,
    /// Records of all processes that the profiler saw.
    pub processes: Vec<ProcessRecord>,
    /// Number of times that the kernel dropped process events since the profiler's queue was
    /// full: short-lived processes may be missing.
    pub dropped_events: u64,
    /// Overhead and punctuality of the profiler.
    pub profiler: ProfilerOverhead,
}

impl Document for ProcessTable {
    const KIND: &'static str = "process table";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(_version: u32, content: Value) -> Value {
        v2::other(content)
    }
}

/// Record of one server process over its whole life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessRecord {
    /// Process ID and start time.
    pub identity: ProcessIdentity,
    /// Process ID of the parent when the process was first seen.
    pub parent: u32,
    /// Last known class.
    pub class: ProcessClass,
    /// First argument of the command line (`argv[0]`), as last read.
    pub title: String,
    /// Short name of the program for reports: `ssh`, `container_memory.py`. `None` if the
    /// command line was never read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Time at which the process was first seen.
    pub first_seen: Timestamp,
    /// Time of the last memory reading.
    pub last_read: Option<Timestamp>,
    /// Peak RSS; `None` if memory was never read.
    pub peak: Option<ByteSize>,
    /// Peak RSS of an executor before it set its title; `None` if the process was not seen
    /// without a title.
    pub peak_while_starting: Option<ByteSize>,
    /// Maximum memory in swap at one reading; `None` if there was none. With swap, the peak
    /// is a lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swapped: Option<ByteSize>,
    /// Maximum number of threads.
    pub threads: u32,
    /// Fastest growth of the peak between two readings, in bytes per second; `None` with
    /// fewer than two readings.
    pub fastest_growth: Option<ByteSize>,
    /// Time of the sample that noticed the exit; `None` if the process was alive when the profiler
    /// ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exited: Option<Timestamp>,
    /// Number of the signal that ended the process; `None` if the process exited by itself, or has
    /// no exit record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
    /// End of the process, as far as the profiler knows.
    pub ending: Ending,
}

/// End of a process, which decides whether its peak is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Process alive when the profiler ended: exact peak, unless pages were in swap.
    Alive,
    /// Process that exited with an exit record of the kernel (taskstats): exact peak, unless
    /// pages were in swap.
    Recorded,
    /// Process that exited without a final reading: the peak is a lower bound.
    Unread {
        /// Time from the last reading until the exit was noticed, in which the process may
        /// have grown; `None` if the process was never read.
        #[serde(with = "crate::units::duration::option")]
        unseen: Option<Duration>,
    },
}

/// Overhead of the profiler, and punctuality of its samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfilerOverhead {
    /// Number of samples taken.
    pub samples: u64,
    /// Number of samples skipped because the one before took too long.
    pub missed_samples: u64,
    /// Achieved sampling rate, in samples per second.
    pub rate_hz: f64,
    /// CPU time of the profiler, user and system.
    #[serde(with = "crate::units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub cpu: Duration,
    /// Peak RSS of the profiler.
    pub peak: ByteSize,
    /// Longest time between two samples.
    #[serde(with = "crate::units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub longest_gap: Duration,
}
