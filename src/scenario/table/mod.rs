//! Table of all scenarios: API scenarios, those of them that need a cloud, CLI scenarios, and the
//! sessions of both kinds.

mod api;
mod cli;
mod cloud;
mod session;

use super::{Cost, Feature, Need, Scenario, ScenarioId, Work};

/// Entry of the health probe.
static PROBE: [Scenario; 1] = [Scenario {
    id: ScenarioId::ProbeHealth,
    summary: "health probe: /api/health at a fixed rate",
    needs: Need::Nothing,
    requires: Feature::None,
    work: Work::Probe,
    concurrent_processes: 0,
    cost: Cost { server: 0.5, nodes: 0.0, client: 0.0 },
}];

/// Entries in the order of [`ScenarioId::ALL`], in parts.
static PARTS: [&[Scenario]; 6] =
    [&api::SCENARIOS, &cloud::SCENARIOS, &session::API, &cli::SCENARIOS, &session::CLI, &PROBE];

/// Number of entries.
pub(super) const LENGTH: usize = {
    let (mut length, mut part) = (0, 0);
    while part < PARTS.len() {
        length += PARTS[part].len();
        part += 1;
    }
    length
};

/// Entry number `index`, in the order of [`ScenarioId::ALL`].
pub(super) const fn entry(index: usize) -> &'static Scenario {
    let (mut first, mut part) = (0, 0);
    while index - first >= PARTS[part].len() {
        first += PARTS[part].len();
        part += 1;
    }
    &PARTS[part][index - first]
}
