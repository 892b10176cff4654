//! Driving load: what a scenario process does between its start and its outcome.
//!
//! [`drive`] is the story. Each scenario is a process of its own, started by
//! nextest; they meet at the [`barrier`] before each segment, so that the first
//! request of the last one doesn't come when the first has finished. What a
//! scenario saw is on disk before anybody judges it.

mod api_iteration;
mod barrier;
mod cli_iteration;
mod iteration;
mod probe;
mod reading;
mod reserve;
mod segment;
mod shared;
mod stop;
mod under_way;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::{ApiClient, ClientError};
use crate::clock::Timeline;
use crate::credentials::Credentials;
use crate::ids::ProcessIdentity;
use crate::limits::raise_open_files;
use crate::plan::{LoadPlan, PlannedScenario};
use crate::record::environment::Environment;
use crate::record::outcome::{Ended, LoadGeneratorOverhead, ScenarioOutcome, SegmentOutcome};
use crate::record::{RecordError, RunDir, Version, read, write_json};
use crate::scenario::{Scenario, ScenarioId, Work};
use crate::units::ByteSize;
use crate::usage::Usage;
use barrier::Barrier;
pub use barrier::has_ended;
use reserve::Reserve;
use shared::Shared;
use stop::Stop;

/// Why a scenario could not be driven at all.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// A file of the run could not be read or written.
    #[error(transparent)]
    RunDir(#[from] RecordError),
    /// There is no client to drive it with.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It is not in the plan.
    #[error("scenario `{0}` is not in the run's plan")]
    NotPlanned(ScenarioId),
    /// Signals can't be listened to.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
}

/// Runs one scenario of a run and records its outcome.
pub async fn drive(run: &RunDir, id: ScenarioId) -> Result<ScenarioOutcome, TrafficError> {
    let plan: LoadPlan = read(&run.plan())?;
    let environment: Environment = read(&run.environment())?;
    let planned = *plan.scenario(id).ok_or(TrafficError::NotPlanned(id))?;
    // Where the limit cannot be raised as far, the operating system says so soon enough.
    // Twice what it needs: a connection may be made anew before the old one is closed.
    _ = raise_open_files(planned.open_files().saturating_mul(2));
    let coordinator = run.read_facts()?.and_then(|facts| facts.coordinator);
    let stop = Stop::listen(coordinator).map_err(TrafficError::Signals)?;
    let stage = Stage::set(run, &plan, &environment, planned)?;
    let has_started = stage.barrier.wait_for_group(id, &stop).await?;
    let limit = Instant::now() + plan.time_limit(id);
    let mut reserve = Reserve::hold();
    let (segments, ended) = match (&Scenario::of(id).work, stage.missing()) {
        (Work::Probe, _) => probe::watch(&stage, &plan, &stop, limit).await?,
        _ if !has_started => (Vec::new(), Ended::Stopped),
        (_, Some(failure)) => (vec![stage.all_failed(failure)], Ended::Finished),
        (Work::Api(_) | Work::Cli(_), None) => {
            run_segments(&stage, &stop, limit, &mut reserve).await?
        }
    };
    drop(reserve);
    let mut outcome = ScenarioOutcome {
        version: Version,
        scenario: id,
        process: ProcessIdentity::current(),
        segments,
        ended,
        cost: cost_so_far(),
    };
    outcome.hide(&stage.credentials);
    write_json(&run.outcome(id), &outcome)?;
    Ok(outcome)
}

/// The cost of this process and of its children that have ended, up to now.
fn cost_so_far() -> LoadGeneratorOverhead {
    let (own, children) = (Usage::own(), Usage::of_children());
    LoadGeneratorOverhead {
        own_cpu: own.cpu,
        own_peak: own.peak,
        children_cpu: children.cpu,
        largest_child: (children.peak > ByteSize(0)).then_some(children.peak),
    }
}

/// What all iterations of a scenario share.
struct Stage {
    run: RunDir,
    planned: PlannedScenario,
    plan: LoadPlan,
    /// What is shared on each infrastructure; users are assigned to them round-robin.
    shared: Vec<Shared>,
    scenario: &'static Scenario,
    environment: Environment,
    client: Arc<ApiClient>,
    credentials: Credentials,
    barrier: Barrier,
    timeline: Timeline,
}

impl Stage {
    fn set(
        run: &RunDir,
        plan: &LoadPlan,
        environment: &Environment,
        planned: PlannedScenario,
    ) -> Result<Self, TrafficError> {
        let command = format!("skyload {}", planned.id);
        let credentials = Credentials::for_server(&plan.server);
        let client = ApiClient::for_run(&run.id(), plan, environment, command, &credentials)?;
        Ok(Self {
            run: run.clone(),
            planned,
            plan: plan.clone(),
            shared: Shared::of(run, plan, Scenario::of(planned.id).needs)?,
            scenario: Scenario::of(planned.id),
            environment: environment.clone(),
            client: Arc::new(client),
            credentials,
            barrier: Barrier::of(run, plan),
            timeline: Timeline::start(),
        })
    }
}

async fn run_segments(
    stage: &Stage,
    stop: &Stop,
    limit: Instant,
    reserve: &mut Reserve,
) -> Result<(Vec<SegmentOutcome>, Ended), TrafficError> {
    let mut segments = Vec::new();
    for number in 0..stage.planned.iterations {
        let until = segment::Until { stop, limit };
        if !reserve.lend(stage.barrier.meet(stage.planned.id, number, until)).await? {
            let ended = if stop.is_asked_for() { Ended::Stopped } else { Ended::TimedOut };
            return Ok((segments, ended));
        }
        let (outcome, ended) = match &stage.scenario.work {
            Work::Api(actions) => api_iteration::segment(stage, actions, number, until).await,
            Work::Cli(command) => cli_iteration::segment(stage, command, number, until).await,
            Work::Probe => unreachable!("the health probe has a driver of its own"),
        };
        segments.push(outcome);
        if ended != Ended::Finished {
            return Ok((segments, ended));
        }
    }
    Ok((segments, Ended::Finished))
}

/// How often a process looks whether something has happened that only a file or
/// another process can tell.
const GLANCE: Duration = Duration::from_millis(20);
