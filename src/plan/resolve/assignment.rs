//! Assignment of scenarios to the infras of a run.

use crate::scenario::{Scenario, ScenarioId};

/// Scenario with the infras that its users alternate between; none if the scenario runs without
/// an infra.
pub(super) struct Assigned {
    pub(super) id: ScenarioId,
    pub(super) infras: Vec<String>,
}

/// Scenarios with those of `infras` that they run on: all that support the scenario.
pub(super) fn assign(scenarios: &[ScenarioId], infras: &[String]) -> Vec<Assigned> {
    let assigned = scenarios.iter().map(|&id| {
        let scenario = Scenario::of(id);
        let supports = |infra: &&String| scenario.takes_infra() && scenario.supports(infra);
        Assigned { id, infras: infras.iter().filter(supports).cloned().collect() }
    });
    assigned.collect()
}
