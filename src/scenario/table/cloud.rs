//! API scenarios that need a cloud. Their requests are those of SkyPilot 0.14.1's SDK
//! (`sky/client/sdk.py`); 0.10.5 and later have all paths.
//!
//! Most of them would get a response without a cloud, too, but an empty one, which says nothing
//! about a server that has a cloud's client libraries and catalog in memory.

use crate::scenario::{Action, Cost, Feature, Need, Scenario, ScenarioId, Work, calls};

/// Entries of the API scenarios that need a cloud, in the order of [`ScenarioId::ALL`].
pub(super) static SCENARIOS: [Scenario; 8] = [
    Scenario {
        id: ScenarioId::ApiCheck,
        summary: "check a cloud's credentials",
        needs: Need::Nothing,
        requires: Feature::Cloud,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::cloud::CHECK),
            Action::Follow(&calls::cloud::CHECK),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 4.5, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiShowGpus,
        summary: "list a cloud's GPUs with prices, as `sky gpus list` does",
        needs: Need::Nothing,
        requires: Feature::Cloud,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::cloud::SHOW_GPUS),
            Action::Follow(&calls::cloud::SHOW_GPUS),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 3.5, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiOptimize,
        summary: "find the cheapest instance for a task",
        needs: Need::Nothing,
        requires: Feature::Cloud,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::cloud::OPTIMIZE),
            Action::Follow(&calls::cloud::OPTIMIZE),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 4.0, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiStorageLs,
        summary: "list storage",
        needs: Need::Nothing,
        requires: Feature::Cloud,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::cloud::STORAGE_LS),
            Action::Follow(&calls::cloud::STORAGE_LS),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 2.5, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiCostReport,
        summary: "list the costs of clusters",
        needs: Need::Nothing,
        requires: Feature::Cloud,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::cloud::COST_REPORT),
            Action::Follow(&calls::cloud::COST_REPORT),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 2.5, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiClusterRefresh,
        summary: "list a cluster after querying its cloud (long executor)",
        needs: Need::Cluster,
        requires: Feature::Cloud,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::cloud::CLUSTER_REFRESH),
            Action::Follow(&calls::cloud::CLUSTER_REFRESH),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 4.0, nodes: 0.5, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiStartStop,
        summary: "launch a cluster, stop it and start it again (long executor)",
        needs: Need::Infrastructure,
        requires: Feature::Stop,
        work: Work::Api(&[
            Action::Health,
            Action::Inline(&calls::launching::VALIDATE_LAUNCH),
            Action::Submit(&calls::launching::LAUNCH),
            Action::Follow(&calls::launching::LAUNCH),
            Action::Submit(&calls::cloud::STOP),
            Action::Follow(&calls::cloud::STOP),
            Action::Submit(&calls::cloud::START),
            Action::Follow(&calls::cloud::START),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 19.0, nodes: 45.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiAutostop,
        summary: "launch a cluster that stops itself, and wait for that (long executor)",
        needs: Need::Infrastructure,
        requires: Feature::Stop,
        work: Work::Api(&[
            Action::Health,
            Action::Inline(&calls::launching::VALIDATE_LAUNCH),
            Action::Submit(&calls::launching::LAUNCH),
            Action::Follow(&calls::launching::LAUNCH),
            Action::Submit(&calls::cloud::AUTOSTOP),
            Action::Follow(&calls::cloud::AUTOSTOP),
            Action::WaitForStatus(&calls::cloud::OWN_REFRESH, "STOPPED"),
        ]),
        concurrent_processes: 1,
        // The skylet looks for idle clusters once a minute, and each poll is a request.
        cost: Cost { server: 35.0, nodes: 35.0, client: 0.0 },
    },
];
