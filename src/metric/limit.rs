//! Limits: budgets and thresholds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Metric};

/// A limit on a metric: a budget, or a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limit {
    /// What is limited.
    pub metric: Metric,
    /// Amount that is still within the limit; `None` is the constant of the SkyPilot under
    /// test.
    pub at_most: Option<Amount>,
}
