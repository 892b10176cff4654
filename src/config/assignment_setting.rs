//! Value of `infra-assignment`.

use serde::Deserialize;

/// Rule by which a plan's scenarios are assigned to the infras of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InfraAssignment {
    /// Each scenario runs on all infras that support the scenario.
    #[default]
    All,
    /// Each scenario runs on one infra that supports the scenario, in turn.
    RoundRobin,
}
