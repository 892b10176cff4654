//! Files of a profile, written by the profiler and read by the report.
//!
//! `samples.jsonl` has one [`ProfileLine`] per line and can be read up to its last complete
//! line. `processes.json` has one [`ProcessTable`], renewed regularly and at the end.

mod executor;
mod level;
mod phase;
mod process;
mod readings;
mod requests;
mod sample;
mod thinned;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use executor::PEAK_NOISE;
pub use executor::{ExecutorMemory, ExecutorReading, Output, UnreadOutput, is_daemon};
pub use level::{LevelChoice, ProfilerLevel};
pub use phase::{ClassSnapshot, Phase, PhasePeaks, Snapshot, Window};
pub use process::{Ending, ProcessRecord, ProcessTable, ProfilerOverhead};
pub use readings::{ProcessReading, Readings};
pub use requests::{
    EndedRequests, ExecutedRequest, ExecutorRequests, RequestFinder, UnlistedRequests,
};
pub use sample::{ClassSample, KeywordMemory, Sample, SystemSample, UpstreamSample};
pub use thinned::{SPACING, THINNED_TOGETHER, UNTHINNED};

use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::{Log, Version, v2};
use crate::units::ByteSize;

/// Line of `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ProfileLine {
    /// First line.
    Header(ProfileHeader),
    /// Sample of all server processes.
    Sample(Sample),
    /// Reading of one executor whose request or memory has changed.
    Executor(ExecutorReading),
    /// Requests that ended in executors, once readings of executors are thinned.
    Requests(EndedRequests),
    /// Readings of each process, and of the server's databases, every ten seconds.
    Readings(Readings),
    /// PSS and USS of the process tree, read at the end of a phase.
    Snapshot(Snapshot),
    /// Peaks of one phase, with `--phase-peaks`.
    PhasePeaks(PhasePeaks),
    /// Sample by the rule of upstream's script, with `--upstream-figures`. Written just before
    /// the next [`Self::Sample`], and possibly older than the previous one.
    Upstream(UpstreamSample),
    /// Exit of the server's main process.
    ServerGone {
        /// Time at which the profiler noticed the exit.
        at: Timestamp,
    },
    /// Last line, written by a profiler that ended cleanly.
    Footer {
        /// Time at which the profiler ended.
        at: Timestamp,
        /// Numbers of records written; `None` in profiles of builds that did not count them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wrote: Option<Wrote>,
    },
}

impl Log for ProfileLine {
    const KIND: &'static str = "profile";
    const VERSION: u32 = 6;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(version: u32, line: Value) -> Value {
        // Version 3 has no readings, neither of executors nor of each process, version 4 thins none,
        // and version 5 has none of anonymous memory. They are the same but for that.
        if version <= v2::VERSION { v2::profile_line(line) } else { line }
    }
}

/// Numbers of records that a profiler wrote, by its own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Wrote {
    /// Number of lines of `samples.jsonl` before the last.
    pub lines: u64,
    /// Number of processes in `processes.json`.
    pub processes: u64,
}

/// Header of a profile: server, method and machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfileHeader {
    /// Format of the file.
    pub version: Version<6>,
    /// Start time of the profiler.
    pub at: Timestamp,
    /// Main process of the server.
    pub root: ProcessIdentity,
    /// Requested sampling interval.
    #[serde(with = "crate::units::duration")]
    pub interval: Duration,
    /// Method of reading peaks.
    pub level: ProfilerLevel,
    /// Whether the kernel reports each fork, exec and exit (proc connector). Without these
    /// events, processes that live only between two samples are missed.
    pub kernel_events: bool,
    /// Whether threads and sockets of the server's processes can be read; `None` in profiles of
    /// builds that did not check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads_and_sockets: Option<bool>,
    /// Total memory of the machine.
    pub memory_total: ByteSize,
    /// Number of CPUs of the machine.
    pub cpus: usize,
}

impl ProfileHeader {
    /// Whether the numbers of threads were read, and not taken to be one of each process.
    pub fn has_threads(&self) -> bool {
        self.level != ProfilerLevel::SampledRss || self.threads_and_sockets == Some(true)
    }

    /// Whether the ports of processes were read. Without them, the queue and web workers are not
    /// told from starting executors.
    pub fn has_ports(&self) -> bool {
        let without = [ProfilerLevel::SampledRss, ProfilerLevel::HighWaterMarkOfAnother];
        self.threads_and_sockets.unwrap_or(!without.contains(&self.level))
    }
}
