//! Limits on metrics of the server: budgets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Metric};

/// Limit on a metric of the server: a budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limit {
    /// Limited metric.
    pub metric: Metric,
    /// Largest amount within the limit; `None` for the constant of the SkyPilot under test.
    pub at_most: Option<Amount>,
}
