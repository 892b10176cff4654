//! Scenarios that hold connections. Each follows a log that grows until the end of the load.

use crate::scenario::{Cost, Feature, Need, Scenario, ScenarioId, Work, calls};

/// Entries of the scenarios that hold connections, in the order of [`ScenarioId::ALL`].
pub(super) static SCENARIOS: [Scenario; 3] = [
    Scenario {
        id: ScenarioId::HoldLogs,
        summary: "hold connections that follow the output of a cluster's job",
        needs: Need::LongJob,
        requires: Feature::None,
        work: Work::Hold(&calls::held::LOGS),
        // A thread of the main process follows the output, not an executor.
        concurrent_processes: 0,
        cost: Cost { server: 0.5, nodes: 4.5, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::HoldJobsLogs,
        summary: "hold connections that follow the output of a managed job",
        needs: Need::LongManagedJob,
        requires: Feature::None,
        work: Work::Hold(&calls::held::JOBS),
        // In consolidation mode each follower of a managed job's log is a process of its own.
        concurrent_processes: 1,
        cost: Cost { server: 3.0, nodes: 2.5, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::HoldStream,
        summary: "hold connections that follow the log of an API request",
        needs: Need::Nothing,
        requires: Feature::None,
        work: Work::Hold(&calls::held::STREAM),
        concurrent_processes: 0,
        cost: Cost { server: 0.02, nodes: 0.0, client: 0.0 },
    },
];
