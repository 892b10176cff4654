//! The parts of a run, and what is read at their ends.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::scenario::Group;
use crate::units::ByteSize;

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
    Cooldown,
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
            Self::Cooldown => "cooldown",
            Self::Watch => "watch",
        }
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
    /// The load of one group of scenarios.
    Load(Group),
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase(phase) => f.pad(phase.name()),
            Self::Load(group) => f.pad(&format!("load: {}", group.name())),
        }
    }
}

/// The largest process of each class in one phase, or in the load of one group.
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
