//! Assignment of scenarios to the infras of a run.

use super::infrastructure::Choice;
use crate::config::InfraAssignment;
use crate::infrastructure::has_cloud_libraries;
use crate::plan::planned::parts;
use crate::scenario::{Mix, Need, ScenarioId};

/// Scenario with the infras that its users alternate between; none if the scenario runs without
/// an infra.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) id: ScenarioId,
    pub(super) infras: Vec<String>,
    /// Operations of the mix.
    pub(super) mix: Option<Mix>,
}

/// Scenarios with those of the infras that they run on.
pub(super) fn assign(
    scenarios: &[ScenarioId],
    mix: Option<&Mix>,
    infrastructure: &Choice,
    rule: InfraAssignment,
) -> Vec<Assigned> {
    let infras = infrastructure.chosen.names();
    let supported = scenarios.iter().map(|&id| {
        let mix = mix.filter(|_| id == ScenarioId::ApiMix);
        let parts = parts(id, mix);
        let takes_infra = parts.iter().any(|(scenario, _)| scenario.takes_infra());
        let supports = |infra: &&String| {
            let mut lacking = parts.iter().map(|(part, _)| infrastructure.lacking(part, infra));
            takes_infra && lacking.all(|feature| feature.is_none())
        };
        let infras = infras.iter().filter(supports).cloned().collect();
        Assigned { id, infras, mix: mix.cloned() }
    });
    let mut assigned: Vec<Assigned> = supported.collect();
    match rule {
        InfraAssignment::All => {}
        InfraAssignment::RoundRobin => keep_one_infra_each(&mut assigned),
    }
    assigned
}

/// Keeps one infra of each scenario: the one with the fewest scenarios of the same need so far, so
/// that each infra gets a scenario that launches. Of equals, clouds come first: executors need most
/// memory for launches there.
fn keep_one_infra_each(assigned: &mut [Assigned]) {
    let mut order: Vec<usize> = (0..assigned.len()).collect();
    // Scenarios that have no choice come first: the others make up for them.
    order.sort_by_key(|at| assigned[*at].infras.len());
    let mut taken: Vec<(Need, String)> = Vec::new();
    for at in order {
        let needs = parts(assigned[at].id, assigned[at].mix.as_ref());
        let needs = needs.into_iter().map(|(scenario, _)| scenario.needs);
        let need = needs.max().unwrap_or(Need::Nothing);
        let load = |infra: &String| {
            let with_need = taken.iter().filter(|(other, on)| *other == need && on == infra);
            // Scenarios that launch nothing take nothing from an infra.
            let in_all = taken.iter().filter(|(other, on)| *other != Need::Nothing && on == infra);
            (with_need.count(), in_all.count(), !has_cloud_libraries(infra))
        };
        let Some(chosen) = assigned[at].infras.iter().min_by_key(|infra| load(infra)).cloned()
        else {
            continue;
        };
        taken.push((need, chosen.clone()));
        assigned[at].infras = vec![chosen];
    }
}
