//! What users do to an API server: the one table of all scenarios.
//!
//! An entry says what a scenario needs, which requests it makes, what counts as
//! success, and which refusals are the right answer in a given environment. The
//! drivers in [`crate::traffic`] carry entries out; the plan reads their weight.

mod calls;
mod expect;
mod id;

pub use calls::Body;
pub use expect::{Circumstances, Expectation, Refusal, Shape, When};
pub use id::{ScenarioId, ScenarioKind, UnknownScenario};

/// One scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub id: ScenarioId,
    /// What a user does, in a few words.
    pub summary: &'static str,
    /// What one user's turn consists of.
    pub work: Work,
    /// How many queued requests one user has under way at once: so many executors
    /// a server without a limit starts for that user.
    pub requests_at_once: u32,
}

/// What one user's turn consists of.
#[derive(Debug)]
pub enum Work {
    /// HTTP requests in this order.
    Api(&'static [Action]),
    /// One `sky` process.
    Cli(Command),
    /// A health request at each beat of a fixed rate.
    Probe,
}

/// One step of an API scenario.
#[derive(Debug)]
pub enum Action {
    /// Ask for the server's health first, as each SDK process does.
    Health,
    /// Send a request that is answered at once.
    Inline(&'static Call),
    /// Send a request that is queued, and keep its id.
    Submit(&'static Call),
    /// Stream the log of a submitted request to its end, then get its result.
    Follow(&'static Call),
}

/// One HTTP request.
#[derive(Debug)]
pub struct Call {
    /// Its name in results.
    pub step: &'static str,
    /// Path below the server's address.
    pub path: &'static str,
    /// What is sent; `GET` where there is no body.
    pub body: Body,
    /// How long the SDK waits for the response to begin; `None` is for ever.
    pub answer_within: Option<std::time::Duration>,
    /// What the right answer looks like.
    pub expect: Expectation,
}

/// One run of the `sky` command line.
#[derive(Debug)]
pub struct Command {
    /// Its arguments.
    pub args: &'static [&'static str],
    /// What its output must contain. Its exit code proves nothing: `sky status`
    /// exits with 0 when the server failed the request.
    pub prints: &'static [&'static str],
    /// Requests that must have succeeded on the server in its name. Of each
    /// entry's names, which vary by release, one must be found.
    pub requests: &'static [&'static [&'static str]],
    /// Failures of its other requests that are the right answer.
    pub refusals: &'static [(&'static str, Refusal)],
}

impl Scenario {
    /// The table's entry for a scenario.
    pub fn of(id: ScenarioId) -> &'static Self {
        // The test below proves that no id lacks an entry.
        TABLE.iter().find(|scenario| scenario.id == id).unwrap_or(&TABLE[0])
    }
}

/// Every scenario. The sequences are those of SkyPilot's own SDK and command
/// line at 0.14.1, recorded through a logging proxy.
pub static TABLE: [Scenario; 11] = [
    Scenario {
        id: ScenarioId::ApiStatus,
        summary: "list clusters",
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::STATUS),
            Action::Follow(&calls::STATUS),
        ]),
        requests_at_once: 1,
    },
    Scenario {
        id: ScenarioId::ApiCliStatus,
        summary: "list jobs, services and clusters, as `sky status` does",
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::JOBS_QUEUE_UNFINISHED),
            Action::Submit(&calls::SERVE_STATUS),
            Action::Submit(&calls::STATUS),
            Action::Follow(&calls::JOBS_QUEUE_UNFINISHED),
            Action::Follow(&calls::SERVE_STATUS),
            Action::Follow(&calls::STATUS),
        ]),
        requests_at_once: 3,
    },
    Scenario {
        id: ScenarioId::ApiValidate,
        summary: "validate a task",
        work: Work::Api(&[Action::Health, Action::Inline(&calls::VALIDATE)]),
        requests_at_once: 0,
    },
    Scenario {
        id: ScenarioId::ApiApiStatus,
        summary: "list API requests",
        work: Work::Api(&[Action::Inline(&calls::API_STATUS)]),
        requests_at_once: 0,
    },
    Scenario {
        id: ScenarioId::ApiJobsQueue,
        summary: "list managed jobs",
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::JOBS_QUEUE),
            Action::Follow(&calls::JOBS_QUEUE),
        ]),
        requests_at_once: 1,
    },
    Scenario {
        id: ScenarioId::ApiStatusRefresh,
        summary: "list clusters after asking their clouds (long executor)",
        work: Work::Api(&[
            Action::Health,
            Action::Submit(&calls::STATUS_REFRESH),
            Action::Follow(&calls::STATUS_REFRESH),
        ]),
        requests_at_once: 1,
    },
    Scenario {
        id: ScenarioId::ApiLaunchDryrun,
        summary: "plan a launch without launching (long executor)",
        work: Work::Api(&[
            Action::Health,
            Action::Inline(&calls::VALIDATE),
            Action::Submit(&calls::LAUNCH_DRYRUN),
            Action::Follow(&calls::LAUNCH_DRYRUN),
        ]),
        requests_at_once: 1,
    },
    Scenario {
        id: ScenarioId::CliStatus,
        summary: "sky status",
        work: Work::Cli(Command {
            args: &["status"],
            prints: &["Clusters"],
            requests: &[&["sky.status"]],
            refusals: &[
                ("sky.serve.status", expect::NO_NETWORK_FOR_SERVICES),
                ("sky.jobs.pool_status", expect::NO_NETWORK_FOR_POOLS),
                ("sky.jobs.queue", expect::NO_JOBS_CONTROLLER),
                ("sky.jobs.queue_v2", expect::NO_JOBS_CONTROLLER),
                ("sky.serve.status", expect::NO_SERVE_CONTROLLER),
                ("sky.jobs.pool_status", expect::NO_JOBS_CONTROLLER),
            ],
        }),
        requests_at_once: 6,
    },
    Scenario {
        id: ScenarioId::CliJobsQueue,
        summary: "sky jobs queue",
        work: Work::Cli(Command {
            args: &["jobs", "queue"],
            prints: &["Managed jobs"],
            requests: &[&["sky.jobs.queue_v2", "sky.jobs.queue"]],
            refusals: &[
                ("sky.jobs.pool_status", expect::NO_NETWORK_FOR_POOLS),
                ("sky.jobs.pool_status", expect::NO_JOBS_CONTROLLER),
            ],
        }),
        requests_at_once: 2,
    },
    Scenario {
        id: ScenarioId::CliApiStatus,
        summary: "sky api status",
        // The server's own daemons are always in this list.
        work: Work::Cli(Command {
            args: &["api", "status"],
            prints: &["ID", "Status"],
            requests: &[],
            refusals: &[],
        }),
        requests_at_once: 0,
    },
    Scenario {
        id: ScenarioId::ProbeHealth,
        summary: "bystander: health at a fixed rate",
        work: Work::Probe,
        requests_at_once: 0,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_one_entry_of_its_own() {
        for (entry, id) in TABLE.iter().zip(ScenarioId::ALL) {
            assert_eq!(entry.id, id, "the table and ScenarioId::ALL have the same order");
        }
    }

    #[test]
    fn every_followed_call_was_submitted_before() {
        for scenario in &TABLE {
            let Work::Api(actions) = &scenario.work else { continue };
            let mut submitted = Vec::new();
            for action in *actions {
                match action {
                    Action::Submit(call) => submitted.push(call.step),
                    Action::Follow(call) => {
                        assert!(submitted.contains(&call.step), "{}: {}", scenario.id, call.step);
                    }
                    Action::Health | Action::Inline(_) => {}
                }
            }
            assert_eq!(usize::try_from(scenario.requests_at_once).unwrap(), submitted.len());
        }
    }
}
