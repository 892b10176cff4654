//! API scenarios. Their sequences of requests are those of SkyPilot 0.14.1's SDK, recorded
//! through a logging proxy.

use crate::scenario::{Action, Cost, Need, Scenario, ScenarioId, Work, calls};

/// Entries of the API scenarios, in the order of [`ScenarioId::ALL`].
pub(super) static SCENARIOS: [Scenario; 13] = [
    Scenario {
        id: ScenarioId::ApiStatus,
        summary: "list clusters",
        needs: Need::Nothing,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::STATUS),
            Action::Follow(&calls::STATUS),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 2.5, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiCliStatus,
        summary: "list jobs, services and clusters, as `sky status` does",
        needs: Need::Nothing,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::JOBS_QUEUE_UNFINISHED),
            Action::Submit(&calls::SERVE_STATUS),
            Action::Submit(&calls::STATUS),
            Action::Follow(&calls::JOBS_QUEUE_UNFINISHED),
            Action::Follow(&calls::SERVE_STATUS),
            Action::Follow(&calls::STATUS),
        ]),
        concurrent_processes: 3,
        cost: Cost { server: 7.5, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiValidate,
        summary: "validate a task",
        needs: Need::Nothing,
        work: Work::Api(&[Action::Health, Action::Inline(&calls::VALIDATE)]),
        // Validation is no queued request: a thread of the main process does it.
        concurrent_processes: 0,
        cost: Cost { server: 0.1, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiApiStatus,
        summary: "list API requests",
        needs: Need::Nothing,
        work: Work::Api(&[Action::Inline(&calls::API_STATUS)]),
        concurrent_processes: 0,
        cost: Cost { server: 0.1, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiJobsQueue,
        summary: "list managed jobs",
        needs: Need::Nothing,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::JOBS_QUEUE),
            Action::Follow(&calls::JOBS_QUEUE),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 2.5, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiStatusRefresh,
        summary: "list clusters after querying their clouds (long executor)",
        needs: Need::Nothing,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::STATUS_REFRESH),
            Action::Follow(&calls::STATUS_REFRESH),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 2.5, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiLaunchDryrun,
        summary: "plan a launch without launching (long executor)",
        needs: Need::Nothing,
        work: Work::Api(&[
            Action::Health,
            Action::Inline(&calls::VALIDATE),
            Action::Submit(&calls::LAUNCH_DRYRUN),
            Action::Follow(&calls::LAUNCH_DRYRUN),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 3.0, nodes: 0.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiLaunchAndLogs,
        summary: "launch a cluster and read its job's output (long executor)",
        needs: Need::Infrastructure,
        work: Work::Api(&[
            Action::Health,
            Action::Inline(&calls::launching::VALIDATE_LAUNCH),
            Action::Submit(&calls::launching::LAUNCH),
            Action::Follow(&calls::launching::LAUNCH),
            Action::TailLogs(&calls::launching::LAUNCHED_LOGS),
        ]),
        concurrent_processes: 1,
        cost: Cost::of_launch(0.0),
    },
    Scenario {
        id: ScenarioId::ApiTailLogs,
        summary: "read the output of a cluster's job",
        needs: Need::Cluster,
        work: Work::Api(&[Action::Health, Action::TailLogs(&calls::launching::TAIL_LOGS)]),
        // A thread of the main process reads the log, not an executor.
        concurrent_processes: 0,
        cost: Cost { server: 0.5, nodes: 4.5, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiExec,
        summary: "run a job on a cluster (long executor)",
        needs: Need::Cluster,
        work: Work::Api(&[
            Action::Health,
            Action::Inline(&calls::VALIDATE),
            Action::Submit(&calls::launching::EXEC),
            Action::Follow(&calls::launching::EXEC),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 3.0, nodes: 7.0, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiClusterQueue,
        summary: "list the jobs of a cluster",
        needs: Need::Cluster,
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::launching::CLUSTER_QUEUE),
            Action::Follow(&calls::launching::CLUSTER_QUEUE),
        ]),
        concurrent_processes: 1,
        cost: Cost { server: 2.5, nodes: 0.5, client: 0.0 },
    },
    Scenario {
        id: ScenarioId::ApiJobsLaunch,
        summary: "submit a managed job",
        needs: Need::Infrastructure,
        work: Work::Api(&[
            Action::Health,
            Action::Inline(&calls::launching::VALIDATE_JOB),
            Action::Submit(&calls::launching::JOBS_LAUNCH),
            Action::Follow(&calls::launching::JOBS_LAUNCH),
        ]),
        concurrent_processes: 1,
        cost: Cost::of_launch(0.0),
    },
    Scenario {
        id: ScenarioId::ApiJobsLogs,
        summary: "follow the output of a managed job",
        needs: Need::Job,
        work: Work::Api(&[Action::Health, Action::TailLogs(&calls::launching::JOBS_LOGS)]),
        // In consolidation mode each follower of a managed job's log is a process of its own.
        concurrent_processes: 1,
        cost: Cost { server: 3.0, nodes: 2.5, client: 0.0 },
    },
];
