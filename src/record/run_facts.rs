//! Facts of a run that are not part of its plan: `run.json`, written at the start of the run.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::{Document, Version};
use crate::ids::{ProcessIdentity, RunId};
use crate::limits::Cpus;
use crate::units;
use crate::units::ByteSize;

/// Estimate of a plan's duration and CPU time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Estimate {
    /// Time from the server's start to its end, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub duration: Duration,
    /// CPU time of all processes of the run, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub cpu: Duration,
    /// Number of CPUs that the estimate assumes.
    pub cpus: usize,
    /// Time of the load without setup and teardown, in seconds.
    #[serde(with = "units::seconds::option", default)]
    #[schemars(with = "Option<crate::units::Seconds>")]
    pub load: Option<Duration>,
    /// CPU quota in CPUs, such as 1.5; `None` without a quota.
    #[serde(default)]
    pub cpu_quota: Option<f64>,
}

impl Estimate {
    /// CPUs and CPU quota that the estimate assumes.
    pub const fn all_cpus(&self) -> Cpus {
        Cpus { allowed: self.cpus, quota: self.cpu_quota }
    }
}

/// Facts of one run, content of `run.json`. A plan is the same for every run of it, so these
/// are not part of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunFacts {
    /// Format of the file.
    pub version: Version<1>,
    /// Coordinator, with which scenarios end. `None` if its start time cannot be read from
    /// `/proc`.
    pub coordinator: Option<ProcessIdentity>,
    /// Estimate for this machine; `None` if the machine's speed could not be measured.
    pub estimate: Option<Estimate>,
    /// Memory in use on the host before the server was started; `None` in runs of builds that
    /// did not record it.
    #[serde(default)]
    pub memory_before: Option<ByteSize>,
    /// Place in a set of runs of one plan (`--repeat`); `None` for a single run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<PlaceInSet>,
}

/// Place of a run in a set of runs of one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlaceInSet {
    /// ID of the set: that of its first run.
    pub first_run: RunId,
    /// Number of the run, from 1.
    pub number: u32,
    /// Number of runs in the set.
    pub of: u32,
}

impl Document for RunFacts {
    const KIND: &'static str = "list of run facts";
    const VERSION: u32 = 1;
}
