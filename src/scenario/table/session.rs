//! Sessions: the whole work of a user with one cluster, as SkyPilot's own benchmark has it. Steps
//! that a cloud serves are left out on other infras.

use super::cli::ERRORS_OF_STATUS;
use crate::scenario::calls::{self, cloud, launching, session, shared};
use crate::scenario::{Action, Command, Cost, Feature, Need, Scenario, ScenarioId, Work};

/// Session by HTTP requests.
pub(super) static API: [Scenario; 1] = [Scenario {
    id: ScenarioId::ApiSession,
    summary: "a user's session: upload, launch, jobs, managed job, teardown (long executor)",
    needs: Need::Infrastructure,
    requires: Feature::None,
    work: Work::Api(&[
        Action::Health,
        Action::OnlyOn(Feature::Cloud, &Action::Submit(&cloud::CHECK)),
        Action::OnlyOn(Feature::Cloud, &Action::Follow(&cloud::CHECK)),
        Action::OnlyOn(Feature::Cloud, &Action::Submit(&cloud::SHOW_GPUS)),
        Action::OnlyOn(Feature::Cloud, &Action::Follow(&cloud::SHOW_GPUS)),
        Action::Inline(&session::VALIDATE_LAUNCH),
        Action::Upload,
        Action::Submit(&session::LAUNCH),
        Action::Follow(&session::LAUNCH),
        Action::Submit(&calls::STATUS),
        Action::Follow(&calls::STATUS),
        Action::Inline(&session::VALIDATE_EXEC),
        Action::Submit(&session::EXEC),
        Action::Follow(&session::EXEC),
        Action::Inline(&session::VALIDATE_EXEC),
        Action::Submit(&session::EXEC),
        Action::Follow(&session::EXEC),
        Action::Inline(&session::VALIDATE_EXEC),
        Action::Submit(&session::EXEC_LONG),
        Action::Follow(&session::EXEC_LONG),
        Action::TailLogs(&launching::LAUNCHED_LOGS),
        Action::Submit(&session::QUEUE),
        Action::Follow(&session::QUEUE),
        Action::Submit(&session::CANCEL),
        Action::Follow(&session::CANCEL),
        Action::Inline(&session::VALIDATE_JOB),
        Action::Submit(&session::JOBS_LAUNCH),
        Action::Follow(&session::JOBS_LAUNCH),
        Action::Submit(&session::JOBS_QUEUE),
        Action::Follow(&session::JOBS_QUEUE),
        Action::TailLogs(&launching::JOBS_LOGS),
        Action::Submit(&cloud::COST_REPORT),
        Action::Follow(&cloud::COST_REPORT),
        Action::Submit(&shared::DOWN),
        Action::Follow(&shared::DOWN),
    ]),
    // Each follower of a managed job's log is a process of its own.
    concurrent_processes: 2,
    cost: Cost { server: 46.0, nodes: 84.0, client: 0.0 },
}];

const fn command(
    args: &'static [&'static str],
    prints: &'static [&'static str],
    requests: &'static [&'static [&'static str]],
) -> Command {
    Command {
        args,
        requires: Feature::None,
        can_be_async: false,
        prints,
        requests,
        expected_errors: &[],
    }
}

/// Session by `sky` processes.
pub(super) static CLI: [Scenario; 1] = [Scenario {
    id: ScenarioId::CliSession,
    summary: "a user's session: launch, jobs, managed job, teardown",
    needs: Need::Infrastructure,
    requires: Feature::None,
    work: Work::Cli(&[
        Command {
            requires: Feature::Cloud,
            ..command(&["check", "{cloud}"], &["Enabled infra"], &[&["sky.check"]])
        },
        Command {
            requires: Feature::Cloud,
            ..command(
                &["show-gpus", "--infra", "{cloud}"],
                &["COMMON_GPU"],
                &[&["sky.list_accelerator_counts"]],
            )
        },
        command(
            &[
                "launch",
                "-y",
                "-c",
                "{own}",
                "--infra",
                "{infra}",
                "--cpus",
                "2",
                "--workdir",
                "{workdir}",
                "echo hello",
            ],
            &["hello"],
            &[&["sky.launch"], &["sky.logs"]],
        ),
        Command {
            expected_errors: &ERRORS_OF_STATUS,
            ..command(&["status"], &["Clusters", "{own}"], &[&["sky.status"]])
        },
        command(&["exec", "-c", "{own}", "echo hello"], &["hello"], &[&["sky.exec"]]),
        command(&["exec", "-c", "{own}", "echo hello"], &["hello"], &[&["sky.exec"]]),
        // Runs until it is cancelled.
        command(&["exec", "-d", "-c", "{own}", "sleep 600"], &[], &[&["sky.exec"]]),
        command(
            &["logs", "{own}", "1"],
            &["hello", "Job finished (status: SUCCEEDED)"],
            &[&["sky.logs"]],
        ),
        command(
            &["queue", "{own}"],
            &["Job queue of current user on cluster {own}"],
            &[&["sky.queue"]],
        ),
        // Cancels the latest running job.
        command(&["cancel", "-y", "{own}"], &["Cancelled job ID"], &[&["sky.cancel"]]),
        command(
            &[
                "jobs",
                "launch",
                "-y",
                "-d",
                "-n",
                "{own}-job",
                "--infra",
                "{infra}",
                "--cpus",
                "2",
                "echo hello && sleep 10",
            ],
            &[],
            &[&["sky.jobs.launch"]],
        ),
        command(&["jobs", "queue"], &["Managed jobs"], &[&["sky.jobs.queue_v2", "sky.jobs.queue"]]),
        command(&["jobs", "logs", "-n", "{own}-job"], &["hello"], &[&["sky.jobs.logs"]]),
        command(&["cost-report"], &["Total Cost"], &[&["sky.cost_report"]]),
        command(&["down", "-y", "{own}"], &[], &[&["sky.down"]]),
    ]),
    // `sky status` submits six requests before it waits for the first.
    concurrent_processes: 6,
    cost: Cost { server: 62.0, nodes: 84.0, client: 48.0 },
}];
