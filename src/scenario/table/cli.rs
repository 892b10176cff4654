//! CLI scenarios. Their requests are those of SkyPilot 0.14.1's command line, recorded through
//! a logging proxy.

use crate::scenario::expect;
use crate::scenario::{Command, Cost, ExpectedError, Feature, Need, Scenario, ScenarioId, Work};

/// Expected errors of the requests of `sky status`. A request is listed once for each error that it
/// may return.
pub(super) static ERRORS_OF_STATUS: [(&str, ExpectedError); 6] = [
    ("sky.serve.status", expect::NO_NETWORK_FOR_SERVICES),
    ("sky.jobs.pool_status", expect::NO_NETWORK_FOR_POOLS),
    ("sky.jobs.queue", expect::NO_JOBS_CONTROLLER),
    ("sky.jobs.queue_v2", expect::NO_JOBS_CONTROLLER),
    ("sky.serve.status", expect::NO_SERVE_CONTROLLER),
    ("sky.jobs.pool_status", expect::NO_JOBS_CONTROLLER),
];

/// Entries of the CLI scenarios, in the order of [`ScenarioId::ALL`].
pub(super) static SCENARIOS: [Scenario; 8] = [
    Scenario {
        id: ScenarioId::CliStatus,
        summary: "sky status",
        needs: Need::Nothing,
        requires: Feature::None,
        work: Work::Cli(&[Command {
            args: &["status"],
            requires: Feature::None,
            can_be_async: false,
            prints: &["Clusters"],
            requests: &[&["sky.status"]],
            expected_errors: &ERRORS_OF_STATUS,
        }]),
        // `sky status` submits six requests before it waits for the first.
        concurrent_processes: 6,
        cost: Cost { server: 16.0, nodes: 0.0, client: 3.0 },
    },
    Scenario {
        id: ScenarioId::CliJobsQueue,
        summary: "sky jobs queue",
        needs: Need::Nothing,
        requires: Feature::None,
        work: Work::Cli(&[Command {
            args: &["jobs", "queue"],
            requires: Feature::None,
            can_be_async: false,
            prints: &["Managed jobs"],
            requests: &[&["sky.jobs.queue_v2", "sky.jobs.queue"]],
            expected_errors: &[
                ("sky.jobs.pool_status", expect::NO_NETWORK_FOR_POOLS),
                ("sky.jobs.pool_status", expect::NO_JOBS_CONTROLLER),
            ],
        }]),
        // The lists of jobs and of pools are requested in parallel.
        concurrent_processes: 2,
        cost: Cost { server: 5.0, nodes: 0.0, client: 3.0 },
    },
    Scenario {
        id: ScenarioId::CliApiStatus,
        summary: "sky api status",
        needs: Need::Nothing,
        requires: Feature::None,
        work: Work::Cli(&[Command {
            args: &["api", "status"],
            requires: Feature::None,
            can_be_async: false,
            // The list is never empty: it always contains the server's own daemons.
            prints: &["ID", "Status"],
            // `/api/status` is no queued request, so the server has no record of it.
            requests: &[],
            expected_errors: &[],
        }]),
        concurrent_processes: 0,
        cost: Cost { server: 0.1, nodes: 0.0, client: 2.5 },
    },
    Scenario {
        id: ScenarioId::CliLaunch,
        summary: "sky launch",
        needs: Need::Infrastructure,
        requires: Feature::None,
        work: Work::Cli(&[Command {
            args: &[
                "launch",
                "-y",
                "-c",
                "{own}",
                "--infra",
                "{infra}",
                "--cpus",
                "2",
                "echo hello",
            ],
            requires: Feature::None,
            can_be_async: true,
            prints: &[],
            requests: &[&["sky.launch"]],
            expected_errors: &[],
        }]),
        concurrent_processes: 1,
        cost: Cost::of_launch(4.5),
    },
    Scenario {
        id: ScenarioId::CliLogs,
        summary: "sky logs",
        needs: Need::Cluster,
        requires: Feature::None,
        work: Work::Cli(&[Command {
            args: &["logs", "{cluster}", "1"],
            requires: Feature::None,
            can_be_async: false,
            prints: &["hello", "Job finished (status: SUCCEEDED)"],
            requests: &[&["sky.logs"]],
            expected_errors: &[],
        }]),
        concurrent_processes: 0,
        cost: Cost { server: 0.5, nodes: 4.5, client: 3.5 },
    },
    Scenario {
        id: ScenarioId::CliJobs,
        summary: "sky jobs launch",
        needs: Need::Infrastructure,
        requires: Feature::None,
        work: Work::Cli(&[Command {
            args: &[
                "jobs",
                "launch",
                "-y",
                "-n",
                "{own}",
                "--infra",
                "{infra}",
                "--cpus",
                "2",
                "echo hello && sleep 10",
            ],
            requires: Feature::None,
            can_be_async: true,
            prints: &[],
            requests: &[&["sky.jobs.launch"]],
            expected_errors: &[],
        }]),
        concurrent_processes: 2,
        cost: Cost::of_launch(4.5),
    },
    Scenario {
        id: ScenarioId::CliServe,
        summary: "sky serve status",
        needs: Need::Service,
        requires: Feature::None,
        work: Work::Cli(&[Command {
            args: &["serve", "status", "{service}"],
            requires: Feature::None,
            can_be_async: false,
            prints: &["{service}", "Service Replicas"],
            requests: &[&["sky.serve.status"]],
            expected_errors: &[],
        }]),
        concurrent_processes: 1,
        cost: Cost { server: 2.5, nodes: 0.0, client: 3.5 },
    },
    Scenario {
        id: ScenarioId::CliCheck,
        summary: "sky check",
        needs: Need::Nothing,
        requires: Feature::Cloud,
        work: Work::Cli(&[Command {
            args: &["check", "{cloud}"],
            requires: Feature::None,
            can_be_async: false,
            // Printed only if the cloud is enabled; the exit code is 0 even if not.
            prints: &["Enabled infra"],
            requests: &[&["sky.check"]],
            expected_errors: &[],
        }]),
        concurrent_processes: 1,
        cost: Cost { server: 4.5, nodes: 0.0, client: 3.0 },
    },
];
