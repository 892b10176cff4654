//! Table of all scenarios: API scenarios, those of them that need a cloud, CLI scenarios, those
//! that hold connections, and the health probe.

mod api;
mod cli;
mod cloud;
mod hold;

use super::{Cost, Feature, Need, Scenario, ScenarioId, Work};

/// Entry of the mix. What an iteration takes is up to the operations that a plan mixes.
static MIX: Scenario = Scenario {
    id: ScenarioId::ApiMix,
    summary: "one of several API scenarios, drawn by weights",
    needs: Need::Nothing,
    requires: Feature::None,
    work: Work::Mix,
    concurrent_processes: 0,
    cost: Cost { server: 0.0, nodes: 0.0, client: 0.0 },
};

/// Entry of the health probe.
static PROBE: Scenario = Scenario {
    id: ScenarioId::ProbeHealth,
    summary: "health probe: /api/health at a fixed rate",
    needs: Need::Nothing,
    requires: Feature::None,
    work: Work::Probe,
    concurrent_processes: 0,
    cost: Cost { server: 0.5, nodes: 0.0, client: 0.0 },
};

/// Number of entries.
pub(super) const LENGTH: usize = api::SCENARIOS.len()
    + cloud::SCENARIOS.len()
    + 1
    + cli::SCENARIOS.len()
    + hold::SCENARIOS.len()
    + 1;

/// Entry number `index`, in the order of [`ScenarioId::ALL`].
pub(super) const fn entry(index: usize) -> &'static Scenario {
    let (api, cloud, cli) = (&api::SCENARIOS, &cloud::SCENARIOS, &cli::SCENARIOS);
    let hold = &hold::SCENARIOS;
    let (first_of_cloud, mix) = (api.len(), api.len() + cloud.len());
    let first_of_cli = mix + 1;
    let first_of_hold = first_of_cli + cli.len();
    if index < first_of_cloud {
        &api[index]
    } else if index < mix {
        &cloud[index - first_of_cloud]
    } else if index == mix {
        &MIX
    } else if index < first_of_hold {
        &cli[index - first_of_cli]
    } else if index < first_of_hold + hold.len() {
        &hold[index - first_of_hold]
    } else {
        &PROBE
    }
}
