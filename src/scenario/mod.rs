//! What users do to an API server: the one table of all scenarios.
//!
//! An entry says what a scenario needs, which requests it makes, what counts as
//! success, and which refusals are the right answer in a given environment. The
//! drivers in [`crate::traffic`] carry entries out; the plan reads their weight.

mod calls;
mod expect;
mod group;
mod id;
mod names;
mod table;

pub use calls::Body;
pub(crate) use calls::STATUS;
pub use calls::shared as shared_calls;
pub use expect::{Circumstances, Expectation, Refusal, Ruling, Shape, When, job_id};
pub use group::Group;
pub use id::{ScenarioId, ScenarioKind, UnknownScenario};
pub(crate) use names::JOB_SECONDS;
pub use names::{IterationNames, SharedNames};
pub use table::TABLE;

/// One scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub id: ScenarioId,
    /// What a user does, in a few words.
    pub summary: &'static str,
    /// What must be there for it.
    pub needs: Need,
    /// What one user's iteration consists of.
    pub work: Work,
    /// How many processes of the server one user keeps busy at once: an executor
    /// for each queued request under way, another for a managed job that is
    /// followed.
    pub processes_at_once: u32,
    /// What one iteration costs.
    pub cost: Cost,
}

/// What must be there for a scenario.
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
    /// A server.
    Nothing,
    /// An infrastructure that it can launch on.
    Infrastructure,
    /// A cluster that all users share, with one job that has ended.
    Cluster,
    /// A managed job that all users share.
    Job,
    /// A service that all users share.
    Service,
}

impl Need {
    /// Whether it takes an infrastructure.
    pub const fn takes_infrastructure(self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Whether it is set up before the load and torn down after it.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Cluster | Self::Job | Self::Service)
    }

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Infrastructure => "an infrastructure",
            Self::Cluster => "a cluster",
            Self::Job => "a managed job",
            Self::Service => "a service",
        }
    }
}

/// CPU-seconds of an operation on a machine where `import sky` takes
/// [`Cost::OF_ONE_IMPORT`]. Not measured one by one, but fitted to whole runs: those
/// took between 0.6 and 1.2 of the time that follows from them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// In the server's processes.
    pub server: f64,
    /// On the nodes, which on loopback are this machine.
    pub nodes: f64,
    /// In the client's own processes.
    pub client: f64,
}

impl Cost {
    /// CPU-seconds of an `import sky` that the table's figures are for.
    pub const OF_ONE_IMPORT: f64 = 2.0;

    /// A cluster that is launched, runs a short job, and is taken down again.
    pub const fn of_launch(client: f64) -> Self {
        Self { server: 8.0, nodes: 27.0, client }
    }
}

/// What one user's iteration consists of.
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
    /// Send a request whose response is a job's output, read that to its end,
    /// then get the request's result: the job's exit code.
    Watch(&'static Call),
}

impl Action {
    /// Whether its request may fail without ending the iteration: the SDK's callers
    /// pass over errors of requests that some servers must refuse.
    pub fn may_be_refused(&self) -> bool {
        match self {
            Self::Health | Self::Submit(_) => false,
            Self::Inline(call) | Self::Follow(call) | Self::Watch(call) => {
                !call.expect.refusals.is_empty()
            }
        }
    }
}

/// One HTTP request.
#[derive(Clone, Copy, Debug)]
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
    /// What a job's output that is watched must contain.
    pub prints: Option<&'static str>,
}

/// One run of the `sky` command line.
#[derive(Debug)]
pub struct Command {
    /// Its arguments; [`IterationNames::fill`] says what stands in braces.
    pub args: &'static [&'static str],
    /// Whether `--run-async` adds `--async`.
    pub can_be_async: bool,
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
        &TABLE[id as usize]
    }
}

/// Each scenario's entry is where its id says; else this does not compile.
const _: () = {
    assert!(TABLE.len() == ScenarioId::ALL.len());
    let mut at = 0;
    while at < TABLE.len() {
        assert!(TABLE[at].id as usize == at && ScenarioId::ALL[at] as usize == at);
        at += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_one_entry_of_its_own() {
        for id in ScenarioId::ALL {
            assert_eq!(Scenario::of(id).id, id);
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
                    Action::Health | Action::Inline(_) | Action::Watch(_) => {}
                }
            }
            assert!(usize::try_from(scenario.processes_at_once).unwrap() >= submitted.len());
        }
    }
}
