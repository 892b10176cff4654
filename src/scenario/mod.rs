//! Scenarios: the table of everything that users do to an API server.
//!
//! An entry has a scenario's requirements, requests, criteria of success, expected errors
//! and cost. The drivers in [`crate::traffic`] run the entries; the plan reads their cost.

mod calls;
mod expect;
mod feature;
mod group;
mod id;
mod mix;
mod names;
mod served_steps;
mod steps;
mod table;

pub use calls::Body;
pub(crate) use calls::STATUS;
pub(crate) use calls::launching::{CANCEL_LAUNCH, LAUNCH as LAUNCH_CALL, VALIDATE_LAUNCH};
pub use calls::shared as shared_calls;
pub use expect::{
    Assessment, Circumstances, Condition, Expectation, ExpectedError, Shape, job_id, job_ids,
};
pub use feature::Feature;
pub use group::Group;
pub use id::{ScenarioId, ScenarioKind, UnknownScenario};
pub use mix::{Mix, MixError};
pub use names::{IterationNames, SharedNames};
pub(crate) use names::{JOB_SECONDS, UPLOADED_WORKDIR};
pub(crate) use served_steps::{http_steps, is_requested, run_steps};
pub use steps::step_and_infra;
pub(crate) use steps::{
    CANCEL, CONNECT, DOWN, ENDED_BEFORE_CANCEL, FIRST_LINE, GAP, LAUNCH, NO_CLUSTER, on_server,
    operation_step, steps_of_operation, submitted,
};

/// Entry of a scenario in the table of all scenarios.
#[derive(Debug)]
pub struct Scenario {
    /// Identifier of the scenario.
    pub id: ScenarioId,
    /// Summary of a user's action, in a few words.
    pub summary: &'static str,
    /// Requirement that must be met before the load starts.
    pub needs: Need,
    /// Feature that an infra must have, or else the scenario is left out on the infra.
    pub requires: Feature,
    /// Work of one iteration.
    pub work: Work,
    /// Number of server processes that one user keeps busy concurrently: an executor for
    /// each queued request that runs, another one for a followed managed job.
    pub concurrent_processes: u32,
    /// Cost of one iteration.
    pub cost: Cost,
}

/// Requirement of a scenario.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Server, nothing else.
    Nothing,
    /// Infra that the server can launch on.
    Infrastructure,
    /// Infra, if the run has one: the user's program may launch on it.
    OptionalInfrastructure,
    /// Shared cluster with one finished job.
    Cluster,
    /// Shared managed job.
    Job,
    /// Shared service.
    Service,
    /// Job on the shared cluster that runs until the teardown.
    LongJob,
    /// Managed job that runs until the teardown.
    LongManagedJob,
}

impl Need {
    /// Whether scenarios with the requirement use an infra, if there is one.
    pub const fn takes_infrastructure(self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Whether the requirement is a shared resource: set up before the load, torn down after
    /// it.
    pub const fn is_shared(self) -> bool {
        match self {
            Self::Nothing | Self::Infrastructure | Self::OptionalInfrastructure => false,
            Self::Cluster | Self::Job | Self::Service | Self::LongJob | Self::LongManagedJob => {
                true
            }
        }
    }

    /// Name of the requirement in messages, with its article.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Infrastructure | Self::OptionalInfrastructure => "an infra",
            Self::Cluster => "a cluster",
            Self::Job => "a managed job",
            Self::Service => "a service",
            Self::LongJob => "a long job",
            Self::LongManagedJob => "a long managed job",
        }
    }
}

/// CPU-seconds of an operation on the reference machine, where `import sky` takes
/// [`Cost::REFERENCE_IMPORT`]. The figures are not measured one by one but fitted to whole
/// runs, which took 0.6 to 1.2 times the duration that the figures predict.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// CPU-seconds in server processes.
    pub server: f64,
    /// CPU-seconds on nodes, which are on this machine with `-c loopback`.
    pub nodes: f64,
    /// CPU-seconds in the client's `sky` process.
    pub client: f64,
}

impl Cost {
    /// CPU-seconds of one `import sky` on the reference machine.
    pub const REFERENCE_IMPORT: f64 = 2.0;

    /// Cost of launching a cluster, running a short job on it, and tearing it down. `client`
    /// is the CPU-seconds of the client.
    pub const fn of_launch(client: f64) -> Self {
        Self { server: 8.0, nodes: 27.0, client }
    }
}

/// Work of one iteration.
#[derive(Debug)]
pub enum Work {
    /// HTTP requests in this order.
    Api(&'static [Action]),
    /// HTTP requests in this order: a launch, its cancellation, which probe launches skip, and the
    /// teardown.
    LaunchCancel(&'static [Action]),
    /// One of the API scenarios of the plan's [`Mix`], drawn for each iteration.
    Mix,
    /// `sky` processes, one after the other. One that fails ends the iteration.
    Cli(&'static [Command]),
    /// Program of the user's, which the plan names.
    Script,
    /// Connection that follows the response of a call throughout the load.
    Hold(&'static Call),
    /// Health requests at a fixed rate.
    Probe,
}

/// Name of the step that is a whole run of the user's program.
pub(crate) const SCRIPT_STEP: &str = "script";

/// Action of an API scenario.
#[derive(Debug)]
pub enum Action {
    /// Requests the server's health, as each SDK process does first.
    Health,
    /// Sends a request whose response is its result.
    Inline(&'static Call),
    /// Sends a request that is queued, and keeps its ID.
    Submit(&'static Call),
    /// Streams the log of a submitted request to its end, then gets its result.
    Follow(&'static Call),
    /// Sends a request whose response is a job's output, reads the output to its end, then
    /// gets the request's result: the job's exit code.
    TailLogs(&'static Call),
    /// Uploads a working directory, as the SDK does to a server that is not on its machine.
    Upload,
    /// Action that is left out on infras without a feature.
    OnlyOn(Feature, &'static Action),
    /// Asks for a cluster's status at intervals, until the status is this one. The call returns a
    /// list with the cluster.
    WaitForStatus(&'static Call, &'static str),
}

impl Action {
    /// Whether the iteration goes on after a failure of the action's request: callers of the
    /// SDK ignore errors of requests that some servers cannot serve.
    pub fn may_fail(&self) -> bool {
        match self {
            Self::Health | Self::Upload | Self::Submit(_) | Self::WaitForStatus(..) => false,
            Self::OnlyOn(_, action) => action.may_fail(),
            Self::Inline(call) | Self::Follow(call) | Self::TailLogs(call) => {
                !call.expect.errors.is_empty()
            }
        }
    }

    /// Call of the action; `None` for an action that sends other requests.
    pub(crate) const fn call(&self) -> Option<&'static Call> {
        match self {
            Self::Health | Self::Upload => None,
            Self::OnlyOn(_, action) => action.call(),
            Self::Inline(call)
            | Self::Submit(call)
            | Self::Follow(call)
            | Self::TailLogs(call)
            | Self::WaitForStatus(call, _) => Some(call),
        }
    }
}

/// Teardown of an iteration's own cluster.
pub(crate) static TAKE_DOWN: [Action; 2] =
    [Action::Submit(&shared_calls::DOWN), Action::Follow(&shared_calls::DOWN)];

/// HTTP request of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Name of the step in results.
    pub step: &'static str,
    /// Path below the server's address.
    pub path: &'static str,
    /// Body of the request; without one it is a `GET`.
    pub body: Body,
    /// SDK timeout for the response; `None` if the SDK waits without limit.
    pub sdk_timeout: Option<std::time::Duration>,
    /// Expected result.
    pub expect: Expectation,
    /// Text that a job's output must contain, if the response is a job's output.
    pub prints: Option<&'static str>,
}

/// Invocation of the `sky` command line.
#[derive(Debug)]
pub struct Command {
    /// Arguments, with placeholders that [`IterationNames::fill`] replaces.
    pub args: &'static [&'static str],
    /// Feature that an infra must have, or else the command is left out on the infra.
    pub requires: Feature,
    /// Whether `--run-async` adds `--async` to the arguments.
    pub can_be_async: bool,
    /// Texts that the output must contain. The exit code proves nothing: `sky status` exits
    /// with 0 even when the server failed the request.
    pub prints: &'static [&'static str],
    /// Requests that the server must have completed for the process. An entry lists the
    /// names of one request in different releases; one of them must be found.
    pub requests: &'static [&'static [&'static str]],
    /// Expected errors of the process's other requests, by request name.
    pub expected_errors: &'static [(&'static str, ExpectedError)],
}

impl Scenario {
    /// Entry of a scenario in the table of all scenarios.
    pub fn of(id: ScenarioId) -> &'static Self {
        // The right entry: checked at compile time.
        table::entry(id as usize)
    }

    /// Whether each iteration leaves a cluster behind. (A managed job takes its cluster down.)
    pub fn leaves_cluster(&self) -> bool {
        let launches = match &self.work {
            Work::Cli(_) => self.runs("launch"),
            _ => self.needs == Need::Infrastructure && self.submits("/launch"),
        };
        launches && !self.takes_cluster_down()
    }

    /// Whether each iteration takes down the cluster that it has launched.
    pub fn takes_cluster_down(&self) -> bool {
        self.submits("/down") || self.runs("down")
    }

    /// Whether an iteration submits a request to a path. The requests of a script are unknown, and
    /// the teardown finds what it leaves.
    fn submits(&self, path: &str) -> bool {
        let (Work::Api(actions) | Work::LaunchCancel(actions)) = &self.work else { return false };
        actions.iter().any(|it| matches!(it, Action::Submit(call) if call.path == path))
    }

    /// Whether an iteration runs a command of `sky`.
    fn runs(&self, command: &str) -> bool {
        let Work::Cli(commands) = &self.work else { return false };
        commands.iter().any(|it| it.args.first() == Some(&command))
    }

    /// Number of clusters that an iteration launches, those of managed jobs included.
    pub fn launches(&self) -> u32 {
        const LAUNCHING: [&str; 2] = ["/launch", "/jobs/launch"];
        let count = match &self.work {
            // Unknown; most programs have one cluster at a time.
            Work::Script => 1,
            _ if self.needs != Need::Infrastructure => 0,
            Work::Api(actions) | Work::LaunchCancel(actions) => {
                let is_launch = |action: &&Action| matches!(action, Action::Submit(call) if LAUNCHING.contains(&call.path));
                actions.iter().filter(is_launch).count()
            }
            Work::Cli(commands) => {
                commands.iter().filter(|command| command.args.contains(&"launch")).count()
            }
            Work::Mix | Work::Hold(_) | Work::Probe => 0,
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether an iteration uploads a working directory by itself.
    pub fn uploads(&self) -> bool {
        match &self.work {
            Work::Api(actions) | Work::LaunchCancel(actions) => {
                actions.iter().any(|it| matches!(it, Action::Upload))
            }
            _ => false,
        }
    }

    /// Whether an iteration submits a managed job.
    pub fn submits_jobs(&self) -> bool {
        match &self.work {
            Work::Cli(commands) => {
                commands.iter().any(|it| it.args.starts_with(&["jobs", "launch"]))
            }
            // It may.
            Work::Script => true,
            _ => self.submits("/jobs/launch"),
        }
    }

    /// Whether `--run-async` adds `--async` to a command of the scenario.
    pub fn can_be_async(&self) -> bool {
        matches!(self.work, Work::Cli(commands) if commands.iter().any(|it| it.can_be_async))
    }
}

/// Compile-time check that each entry of the table is at the index of its scenario's ID.
const _: () = {
    assert!(table::LENGTH == ScenarioId::ALL.len());
    let mut at = 0;
    while at < table::LENGTH {
        assert!(table::entry(at).id as usize == at && ScenarioId::ALL[at] as usize == at);
        at += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_its_own_entry() {
        for id in ScenarioId::ALL {
            assert_eq!(Scenario::of(id).id, id);
        }
    }

    #[test]
    fn every_followed_call_was_submitted_before() {
        for scenario in ScenarioId::ALL.map(Scenario::of) {
            let (Work::Api(actions) | Work::LaunchCancel(actions)) = &scenario.work else {
                continue;
            };
            let mut submitted = Vec::new();
            let mut concurrent = 0;
            for action in *actions {
                match action {
                    Action::Submit(call) => submitted.push(call.step),
                    Action::Follow(call) => {
                        let at = submitted.iter().position(|step| *step == call.step);
                        submitted.remove(at.unwrap_or_else(|| panic!("{}", scenario.id)));
                    }
                    Action::Health
                    | Action::Upload
                    | Action::OnlyOn(..)
                    | Action::Inline(_)
                    | Action::TailLogs(_)
                    | Action::WaitForStatus(..) => {}
                }
                concurrent = concurrent.max(submitted.len());
            }
            assert!(usize::try_from(scenario.concurrent_processes).unwrap() >= concurrent);
        }
    }
}
