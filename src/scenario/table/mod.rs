//! Table of all scenarios: API scenarios, those of them that need a cloud, CLI scenarios, the
//! sessions of both kinds, cancelled launches, the mix, the user's program, those that hold connections, and the health
//! probe.

mod api;
mod cli;
mod cloud;
mod hold;
mod session;

use super::{Action, Cost, Feature, Need, Scenario, ScenarioId, Work, calls};

/// Entry of launches that are cancelled. What a cancelled launch takes depends on when that is: the
/// cost is that of a whole one.
static LAUNCH_CANCEL: [Scenario; 1] = [Scenario {
    id: ScenarioId::ApiLaunchCancel,
    summary: "launch a cluster, cancel the launch or not, tear down (long executor)",
    needs: Need::Infrastructure,
    requires: Feature::None,
    work: Work::LaunchCancel(&[
        Action::Health,
        Action::Inline(&calls::launching::VALIDATE_LAUNCH),
        Action::Submit(&calls::launching::LAUNCH),
        Action::Follow(&calls::launching::LAUNCH),
        Action::Submit(&calls::launching::CANCEL_LAUNCH),
        Action::Follow(&calls::launching::CANCEL_LAUNCH),
        Action::Submit(&calls::shared::DOWN),
        Action::Follow(&calls::shared::DOWN),
    ]),
    // The cancellation runs beside the launch.
    concurrent_processes: 2,
    cost: Cost::of_launch(0.0),
}];

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
static PARTS: [&[Scenario]; 10] = [
    &api::SCENARIOS,
    &cloud::SCENARIOS,
    &session::API,
    &LAUNCH_CANCEL,
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
