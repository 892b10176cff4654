//! Scenarios of a plan, and those that it leaves out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::ScenarioId;
use crate::shape::LoadShape;

/// A scenario of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlannedScenario {
    /// ID of the scenario.
    pub id: ScenarioId,
    /// Number of users; of a load in stages, the largest one; of an arrival rate, the most
    /// iterations at a time.
    pub users: u32,
    /// Load over time.
    pub shape: LoadShape,
    /// Maximum number of concurrently active users: all, unless the executors that they start
    /// exceed the machine's memory.
    pub concurrency: u32,
    /// Infras of the scenario, as values of SkyPilot's `--infra`; its users alternate between them.
    /// Empty for a scenario that runs without an infra.
    #[serde(default)]
    pub infras: Vec<String>,
}

impl PlannedScenario {
    /// Iterations of all users; `None` if their number depends on how long they take.
    pub fn iterations(&self) -> Option<u64> {
        match &self.shape {
            LoadShape::Burst { iterations } => {
                Some(u64::from(*iterations).saturating_mul(self.users.into()))
            }
            LoadShape::Timed(timed) => timed.arrivals(),
        }
    }
}

/// Scenario that the plan leaves out although a list of scenarios includes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LeftOut {
    /// ID of the scenario.
    pub id: ScenarioId,
    /// Requirement that no infra of the run meets, as a phrase after "needs".
    pub needs: String,
}
