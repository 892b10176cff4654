//! What the profiler writes down: the contract between it and the report.
//!
//! `samples.jsonl` holds one [`ProfileLine`] per line, in the order of time, and
//! is readable up to its last complete line. `processes.json` holds one
//! [`ProcessTable`], written when the profiler ends.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::scenario::Family;
use crate::units::ByteSize;

/// One line of `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ProfileLine {
    /// Always the first line.
    Header(ProfileHeader),
    /// One tick of the sampling loop.
    Tick(Tick),
    /// Proportional memory of the whole tree, read at the end of a phase.
    Snapshot(Snapshot),
    /// Peaks of one phase, where they were asked for.
    PhasePeaks(PhasePeaks),
    /// What the original tool would have seen, where that was asked for. Stands before
    /// the tick at which it was written down, and may be older than the one before.
    Original(OriginalLook),
    /// The server's main process was not there any more.
    ServerGone {
        /// When the profiler noticed.
        at: Timestamp,
    },
    /// The last line of a profiler that ended in good order.
    Footer {
        /// When it ended.
        at: Timestamp,
    },
}

/// What was profiled, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProfileHeader {
    /// Format of this file.
    pub version: u32,
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

/// One look at all processes of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tick {
    /// When the tick began.
    pub at: Timestamp,
    /// How much later than planned that was.
    pub late_micros: u64,
    /// Resident memory by class; a class without a process is left out.
    pub classes: BTreeMap<ProcessClass, ClassTick>,
    /// Processes that have ended and that no parent has waited for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub zombies: u32,
    /// The machine as a whole, at every few ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemTick>,
}

/// The processes of one class at one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassTick {
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
pub struct SystemTick {
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
pub struct OriginalLook {
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

/// Proportional and unique memory of the tree at the end of a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Snapshot {
    /// When reading began.
    pub at: Timestamp,
    /// When it ended: the profiler took no ticks in between.
    pub until: Timestamp,
    /// The phase that ended.
    pub phase: Phase,
    /// By class, over the processes that could be read.
    pub classes: BTreeMap<ProcessClass, ClassSnapshot>,
    /// Processes that could not be read (ended meanwhile, or permission denied).
    pub unread: u32,
}

/// Memory of one class at the end of a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassSnapshot {
    /// Processes that were read.
    pub count: u32,
    /// Threads of these processes.
    pub threads: u32,
    /// Sum of proportional set sizes: a shared page counts once in all.
    pub pss: ByteSize,
    /// Sum of the pages that no other process has.
    pub uss: ByteSize,
}

/// A time that has memory peaks of its own.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// A whole phase.
    Phase(Phase),
    /// The load of one family of scenarios.
    Load(Family),
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase(phase) => f.pad(phase.name()),
            Self::Load(family) => f.pad(&format!("load: {}", family.name())),
        }
    }
}

/// The largest process of each class in one phase, or in the load of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PhasePeaks {
    /// When it ended.
    pub at: Timestamp,
    /// Of which time they are.
    pub window: Window,
    /// The peak of the largest process of each class, those that ended in it included.
    pub classes: BTreeMap<ProcessClass, ByteSize>,
    /// Processes whose marks could not be lowered when it began: theirs may be of an
    /// earlier time.
    pub not_reset: u32,
}

/// The parts of a run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The idle server, before any load.
    Baseline,
    /// What scenarios share is launched.
    SetUp,
    /// From the first request to the last answer.
    Load,
    /// What the run has created is taken down.
    TearDown,
    /// The idle server after the load.
    Drain,
    /// All that a profile outside of a run covers after its baseline.
    Watch,
}

impl Phase {
    /// The name used in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::SetUp => "setup",
            Self::Load => "load",
            Self::TearDown => "teardown",
            Self::Drain => "drain",
            Self::Watch => "watch",
        }
    }
}

/// All processes that the profiler saw, and what watching them cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessTable {
    /// Format of this file.
    pub version: u32,
    /// One record for each process.
    pub processes: Vec<ProcessRecord>,
    /// Times at which the kernel had more to tell than it could keep for the profiler:
    /// processes may have come and gone unknown.
    pub lost_events: u64,
    /// The profiler's own cost and punctuality.
    pub profiler: ProfilerCost,
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
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When its memory was last read.
    pub last_read: Option<Timestamp>,
    /// Its peak; `None` when its memory was never read.
    pub peak: Option<ByteSize>,
    /// Its peak up to when it took its title, for a worker seen untitled.
    pub peak_while_starting: Option<ByteSize>,
    /// The most threads that it had.
    pub threads: u32,
    /// The fastest that its mark was seen to rise from one tick to the next, in bytes
    /// per second; `None` when it was not read twice.
    pub fastest_growth: Option<ByteSize>,
    /// How it ended, as far as the profiler knows.
    pub ending: Ending,
}

/// How a process left the profiler's sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It lived when the profiler ended: its peak is exact.
    Alive,
    /// It exited, and the kernel's record of that has its mark: its peak is exact.
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
    pub ticks: u64,
    /// Ticks that fell away since the one before took too long.
    pub missed_ticks: u64,
    /// Ticks per second that were achieved.
    pub rate_hz: f64,
    /// CPU time of the profiler, user and system.
    #[serde(with = "crate::units::duration")]
    #[schemars(with = "crate::schema::DurationText")]
    pub cpu: Duration,
    /// Its own peak memory.
    pub peak: ByteSize,
    /// The longest time between two ticks.
    #[serde(with = "crate::units::duration")]
    #[schemars(with = "crate::schema::DurationText")]
    pub longest_gap: Duration,
}
