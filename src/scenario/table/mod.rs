//! Table of all scenarios: API scenarios, those of them that need a cloud, CLI scenarios, the
//! sessions of both kinds, the mix, the user's program, those that hold connections, and the health
//! probe.

mod api;
mod cli;
mod cloud;
mod hold;
mod session;

use super::{Cost, Feature, Need, Scenario, ScenarioId, Work};

/// Entry of the mix. What an iteration takes is up to the operations that a plan mixes.
static MIX: [Scenario; 1] = [Scenario {
    id: ScenarioId::ApiMix,
    summary: "one of several API scenarios, drawn by weights",
    needs: Need::Nothing,
    requires: Feature::None,
    work: Work::Mix,
    concurrent_processes: 0,
    cost: Cost { server: 0.0, nodes: 0.0, client: 0.0 },
}];

/// Entry of the user's program.
static SCRIPT: [Scenario; 1] = [Scenario {
    id: ScenarioId::CliScript,
    summary: "a program of yours (--script)",
    needs: Need::OptionalInfrastructure,
    requires: Feature::None,
    work: Work::Script,
    concurrent_processes: 1,
    // Unknown: that of one launch.
    cost: Cost::of_launch(4.5),
}];

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
static PARTS: [&[Scenario]; 9] = [
    &api::SCENARIOS,
    &cloud::SCENARIOS,
    &session::API,
    &MIX,
    &cli::SCENARIOS,
    &session::CLI,
    &SCRIPT,
    &hold::SCENARIOS,
    &PROBE,
];

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
