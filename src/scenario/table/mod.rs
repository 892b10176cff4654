//! Table of all scenarios, one part for each kind.

mod api;
mod cli;

use super::{Cost, Need, Scenario, ScenarioId, Work};

/// Entry of the health probe.
static PROBE: Scenario = Scenario {
    id: ScenarioId::ProbeHealth,
    summary: "health probe: /api/health at a fixed rate",
    needs: Need::Nothing,
    work: Work::Probe,
    concurrent_processes: 0,
    cost: Cost { server: 0.5, nodes: 0.0, client: 0.0 },
};

/// Number of entries.
pub(super) const LENGTH: usize = api::SCENARIOS.len() + cli::SCENARIOS.len() + 1;

/// Entry number `index`, in the order of [`ScenarioId::ALL`].
pub(super) const fn entry(index: usize) -> &'static Scenario {
    let (api, cli) = (&api::SCENARIOS, &cli::SCENARIOS);
    if index < api.len() {
        &api[index]
    } else if index < api.len() + cli.len() {
        &cli[index - api.len()]
    } else {
        &PROBE
    }
}
