//! Repetition of the requests behind peaks: which scenarios of a run send them, and the plan of one
//! iteration.

use std::time::Duration;

use crate::analysis::{Cause, ExecutorPeak, RequestKind};
use crate::infrastructure::Infrastructure;
use crate::plan::{LoadPlan, PinnedWorkers, PlannedScenario};
use crate::scenario::{Need, Scenario, ScenarioId, ScenarioKind};
use crate::shape::LoadShape;

/// Maximum number of scenarios that are run for one request.
const MAX_TRIES: usize = 3;

/// User of the requests that a server sends itself, whose IDs are the same in every server.
const SYSTEM: &str = "skypilot-system";

/// Way to see the cause of a peak once more.
#[derive(Clone, Debug, PartialEq)]
pub enum Repetition {
    /// Request of this name, by one iteration of a scenario: of the first that sends one to the
    /// wanted queue.
    Request {
        /// Name of the request, such as `sky.status`.
        name: String,
        /// Scenarios, each with one user and one iteration.
        scenarios: Vec<PlannedScenario>,
    },
    /// Request with this ID, which every server runs by itself, such as a daemon.
    OfServer(String),
    /// Import of SkyPilot, which every executor does first.
    Import,
    /// None, for this reason.
    None(String),
}

impl Repetition {
    /// Repetition of the cause of a peak, with what the plan of its run can send.
    pub fn of(peak: &ExecutorPeak, plan: &LoadPlan) -> Self {
        let requests = peak.cause.requests();
        let is_of_server = requests.iter().all(|one| one.user.as_deref() == Some(SYSTEM));
        if let ([request, ..], Some(_), true) = (requests, peak.cause.kind(), is_of_server) {
            return Self::OfServer(request.id.clone());
        }
        match (&peak.cause, peak.cause.kind()) {
            (Cause::Import, _) => Self::Import,
            (Cause::NoRequest, _) => Self::None("no request ran".to_owned()),
            (Cause::Unknown(_), _) => Self::None("the cause is unknown".to_owned()),
            (_, Some(RequestKind::Daemon(id))) => Self::OfServer(id.clone()),
            (_, Some(RequestKind::Named(name))) => Self::of_request(name, plan),
            (_, Some(RequestKind::Unrecorded)) => {
                Self::None("the server's record lacks the request".to_owned())
            }
            (Cause::Request { .. } | Cause::OneOf { .. }, None) => {
                Self::None("requests of several kinds may be the cause".to_owned())
            }
        }
    }

    fn of_request(name: &str, plan: &LoadPlan) -> Self {
        let operations = || plan.scenarios.iter().flat_map(operations);
        // Of every run with an infra, before the load.
        let is_check = name == "sky.check" && plan.infrastructure != Infrastructure::None;
        let is_setup = |one: &PlannedScenario| {
            is_check || one.needs().into_iter().any(|need| sets_up(need, name))
        };
        let direct = operations().filter(|one| Scenario::of(one.id).sends(name));
        // A shared resource of the scenario takes the request.
        let by_setup = operations().filter(is_setup);
        // Its requests are unknown.
        let scripts = operations().filter(|one| one.id == ScenarioId::CliScript);
        let mut scenarios: Vec<PlannedScenario> = Vec::new();
        for scenario in direct.chain(by_setup).chain(scripts) {
            if !scenarios.iter().any(|other| other.id == scenario.id) {
                scenarios.push(scenario);
            }
        }
        if scenarios.is_empty() {
            return Self::None(format!("no scenario of the run is known to send {name}"));
        }
        if let Infrastructure::Clouds(clouds) = &plan.infrastructure {
            // Credentials are copied for the run that was asked for, and for no other server.
            scenarios.retain(|one| !is_check && !Scenario::of(one.id).takes_infra());
            if scenarios.is_empty() {
                return Self::None(format!("{name} needs your cloud: {}", clouds.join(", ")));
            }
        }
        scenarios.truncate(MAX_TRIES);
        Self::Request { name: name.to_owned(), scenarios }
    }
}

/// Scenarios of one user and one iteration that a planned one consists of: itself, or the operations
/// of a mix. Empty for one that runs no requests in executors.
fn operations(planned: &PlannedScenario) -> Vec<PlannedScenario> {
    if matches!(planned.id.kind(), ScenarioKind::Probe | ScenarioKind::Hold) {
        return Vec::new();
    }
    let operation = |(scenario, _): (&Scenario, f64)| {
        let takes_infra = scenario.needs.takes_infrastructure();
        PlannedScenario {
            id: scenario.id,
            users: 1,
            shape: LoadShape::SINGLE,
            concurrency: 1,
            infras: if takes_infra { planned.infras.clone() } else { Vec::new() },
            mix: None,
            cancellations: planned.cancellations.clone(),
        }
    };
    planned.parts().into_iter().map(operation).collect()
}

/// Whether setup or teardown of a shared resource sends requests of a name.
fn sets_up(need: Need, request: &str) -> bool {
    let requests: &[&str] = match need {
        Need::Nothing | Need::Infrastructure | Need::OptionalInfrastructure => &[],
        Need::Cluster => &["sky.launch", "sky.down"],
        Need::LongJob => &["sky.launch", "sky.exec", "sky.down"],
        Need::Job | Need::LongManagedJob => &["sky.jobs.launch"],
        Need::Service => &["sky.serve.up", "sky.serve.down"],
    };
    requests.contains(&request)
}

/// Work of a server whose executors are traced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Subject<'a> {
    /// Scenario of one iteration.
    Scenario(&'a PlannedScenario),
    /// Requests that the server sends itself.
    OfServer,
    /// Import of SkyPilot, which needs no request.
    Import,
}

/// Plan of a server whose executors are traced: one scenario or none, without phases that measure
/// and without limits. It has local infras of the run, on which a request depends, but never the
/// user's clouds.
pub fn plan(of: &LoadPlan, subject: Subject<'_>) -> LoadPlan {
    let scenario = match subject {
        Subject::Scenario(scenario) => Some(scenario),
        Subject::OfServer | Subject::Import => None,
    };
    LoadPlan {
        scenarios: scenario.cloned().into_iter().collect(),
        left_out: Vec::new(),
        infrastructure: match (subject, &of.infrastructure) {
            (Subject::Import, _) | (_, Infrastructure::Clouds(_)) => Infrastructure::None,
            (Subject::Scenario(_) | Subject::OfServer, infrastructure) => infrastructure.clone(),
        },
        // Tracing takes memory and time beyond those of the measured server.
        size: None,
        workers: PinnedWorkers::default(),
        server_metrics: None,
        keep_server: false,
        fit: None,
        phase_peaks: false,
        ramp: Duration::ZERO,
        baseline: Duration::ZERO,
        cooldown: Duration::ZERO,
        budgets: Vec::new(),
        thresholds: Vec::new(),
        ..of.clone()
    }
}

/// Plan by which SkyPilot is installed for traced servers: with the packages that the run's infras
/// need, which executors import.
pub fn plan_of_installation(of: &LoadPlan) -> LoadPlan {
    LoadPlan { infrastructure: of.infrastructure.clone(), ..plan(of, Subject::Import) }
}
