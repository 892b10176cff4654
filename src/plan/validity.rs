//! Limits beyond which the measurements of a run are not valid.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units;

/// Limits beyond which measurements are not valid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ValidityLimits {
    /// Delay of requests (99th percentile) beyond which the load generator is overloaded.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub send_lateness_p99: Duration,
    /// Time without samples beyond which it counts as a sampling gap.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub profiler_gap: Duration,
}
