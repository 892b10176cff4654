//! Phases of a run, and the memory figures that are read at the end of each.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::scenario::Group;
use crate::units::{self, ByteSize};

/// Phase of a run.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Idle server before the load.
    Baseline,
    /// Setup of shared resources.
    SetUp,
    /// Load, from the first request to the last response.
    Load,
    /// Teardown of the resources that the run has created.
    TearDown,
    /// Idle server after the load.
    Cooldown,
    /// Time after the baseline in a profile that belongs to no run.
    Watch,
}

impl Phase {
    /// Name used in files and tables.
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

/// PSS and USS of the process tree at the end of a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Snapshot {
    /// Time at which reading began.
    pub at: Timestamp,
    /// Time at which reading ended; the profiler took no samples in between.
    pub until: Timestamp,
    /// Phase that ended.
    pub phase: Phase,
    /// Memory by class, over the processes that could be read.
    pub classes: BTreeMap<ProcessClass, ClassSnapshot>,
    /// Number of processes that could not be read (exited meanwhile, or permission denied).
    pub unread: u32,
    /// CPU time of all processes since their starts, with that of zombies and of the exited
    /// children that they have waited for, in seconds; `None` where the operating system has none, and in profiles
    /// of earlier builds.
    #[serde(default, with = "units::seconds::option", skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Duration>,
}

/// Memory of one class at the end of a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassSnapshot {
    /// Number of processes that were read.
    pub count: u32,
    /// Number of threads of these processes.
    pub threads: u32,
    /// Sum of PSS: shared pages are divided among the processes that share them.
    pub pss: ByteSize,
    /// Sum of USS: pages that no other process shares.
    pub uss: ByteSize,
}

/// Period of a run with separate memory peaks.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Window {
    /// Whole phase.
    Phase(Phase),
    /// Load of one scenario group.
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

/// Peaks of each class's largest process, in one phase or in the load of one scenario group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PhasePeaks {
    /// Time at which the period ended.
    pub at: Timestamp,
    /// Period in which the peaks were reached.
    pub window: Window,
    /// Peak of the largest process of each class, processes that exited in the period included.
    pub classes: BTreeMap<ProcessClass, ByteSize>,
    /// Number of processes whose peak could not be reset at the start of the period: their
    /// peaks may be from an earlier one.
    pub not_reset: u32,
}
