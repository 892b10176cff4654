//! What is known of a run beside its plan: `run.json`, written when it begins.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::{Document, Version};
use crate::ids::ProcessIdentity;
use crate::limits::Cpus;
use crate::units;
use crate::units::ByteSize;

/// How long a plan will take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Estimate {
    /// From the server's start to its end.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub duration: Duration,
    /// CPU time in all processes of the run.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub cpu: Duration,
    /// CPUs that share it.
    pub cpus: usize,
    /// Time of the load alone, without setup and teardown.
    #[serde(with = "units::seconds::option", default)]
    #[schemars(with = "Option<crate::units::Seconds>")]
    pub load: Option<Duration>,
    /// What a quota leaves of these: 1.5, say; `None` where there is none.
    #[serde(default)]
    pub cpu_quota: Option<f64>,
}

impl Estimate {
    /// CPUs that share the CPU time, a quota included.
    pub const fn all_cpus(&self) -> Cpus {
        Cpus { allowed: self.cpus, quota: self.cpu_quota }
    }
}

/// Facts of one run. A plan holds what will be done, so none of these is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunFacts {
    /// Format of the file.
    pub version: Version<1>,
    /// Process that runs the plan: scenarios end when it does. `None` where `/proc` does not
    /// tell its start time.
    pub coordinator: Option<ProcessIdentity>,
    /// What the plan takes on this machine; `None` where its speed could not be measured.
    pub estimate: Option<Estimate>,
    /// Memory in use on the host before the server was started; `None` in runs of builds that
    /// did not record it.
    #[serde(default)]
    pub memory_before: Option<ByteSize>,
}

impl Document for RunFacts {
    const KIND: &'static str = "list of a run's facts";
    const VERSION: u32 = 1;
}
