//! Load generator: one scenario in one process, from its start to its outcome.
//!
//! [`drive`] is the entry point. nextest starts a process for each scenario. The processes
//! meet at the [`barrier`] before each segment; without it, the first scenario could have
//! finished before the last one has started. A scenario writes its outcome to the run
//! directory, and is judged later from this file.

mod activity;
mod api_iteration;
mod archive;
mod barrier;
mod bench_lines;
mod breach;
mod cancelled_requests;
mod cli_iteration;
mod cli_judgement;
mod client_process;
mod engine;
mod executors;
mod hold;
mod infra_resources;
mod iteration;
mod launch_cancel;
mod load;
mod log_reader;
mod mixed_iteration;
mod open_connections;
mod own_requests;
mod probe;
mod progress;
mod reserve;
mod script_iteration;
mod skypilot_users;
mod stop;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::{ApiClient, ClientError};
use crate::clock::Timeline;
use crate::credentials::{ClientFileError, Credentials};
use crate::ids::ProcessIdentity;
use crate::limits::raise_open_files;
use crate::plan::{LoadPlan, PlannedScenario};
use crate::record::environment::{ClientSettings, Environment};
use crate::record::outcome::{Ended, LoadGeneratorOverhead, ScenarioOutcome, SegmentOutcome};
use crate::record::{RecordError, RunDir, Version, read, write_json};
use crate::scenario::{Scenario, ScenarioId, Work};
use crate::units::ByteSize;
use crate::usage::Usage;
use activity::ActivityLog;
use archive::Workdir;
use barrier::Barrier;
pub use barrier::has_ended;
use cancelled_requests::CancelledRequests;
use engine::{EndCondition, IterationId};
use infra_resources::InfraResources;
use reserve::ReservedFiles;
use skypilot_users::UserSpan;
use stop::StopSignal;

/// Error that keeps a scenario from running at all.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// Failure to read or write a file of the run.
    #[error(transparent)]
    RunDir(#[from] RecordError),
    /// Failure to set up the HTTP client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Failure to read the credentials of SkyPilot's client.
    #[error(transparent)]
    ClientFile(#[from] ClientFileError),
    /// Scenario that is not in the run's plan.
    #[error("scenario `{0}` is not in the run's plan")]
    NotPlanned(ScenarioId),
    /// Failure to install signal handlers.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
}

/// Runs one scenario of a run and records its outcome.
pub async fn drive(run: &RunDir, id: ScenarioId) -> Result<ScenarioOutcome, TrafficError> {
    let plan: LoadPlan = read(&run.plan())?;
    let environment: Environment = read(&run.environment())?;
    let planned = plan.scenario(id).cloned().ok_or(TrafficError::NotPlanned(id))?;
    // Twice the need: a connection may be replaced before the old one is closed. A limit that
    // cannot be raised is no error here: if it is too low, iterations fail and report that.
    _ = raise_open_files(planned.open_files().saturating_mul(2));
    let coordinator = run.read_facts()?.and_then(|facts| facts.coordinator);
    let stop = StopSignal::listen(coordinator).map_err(TrafficError::Signals)?;
    let context = Rc::new(ScenarioContext::new(run, &plan, &environment, planned)?);
    let has_started = context.barrier.wait_for_group(id, &stop).await?;
    // After the wait for the group, which is not part of the scenario's time.
    let limit = Instant::now() + plan.time_limit(id);
    let mut reserve = ReservedFiles::open();
    let work = work(&context, &stop, limit, has_started, &mut reserve);
    let (segments, ended) = progress::written_during(&context, work).await?;
    // Writing the outcome takes a file descriptor, and idle connections may hold all others.
    drop(reserve);
    let mut outcome = ScenarioOutcome {
        version: Version,
        scenario: id,
        process: ProcessIdentity::current(),
        segments,
        ended,
        cost: overhead(),
        activity: context.activity.finish(),
    };
    // Messages of the server may repeat the credentials.
    outcome.hide(&context.credentials);
    write_json(&run.outcome(id), &outcome)?;
    Ok(outcome)
}

/// Work of a scenario, until its end or `limit`.
async fn work(
    context: &Rc<ScenarioContext>,
    stop: &StopSignal,
    limit: Instant,
    has_started: bool,
    reserve: &mut ReservedFiles,
) -> Result<(Vec<SegmentOutcome>, Ended), TrafficError> {
    match (&context.scenario.work, context.setup_failure()) {
        (Work::Probe, _) => probe::run(context, stop, limit).await,
        _ if !has_started => Ok((Vec::new(), Ended::Stopped)),
        (_, Some(failure)) => Ok((vec![context.fail_all(failure)], Ended::Finished)),
        (Work::Hold(call), None) => hold::run(context, call, stop, limit).await,
        (Work::Api(_) | Work::LaunchCancel(_) | Work::Mix | Work::Cli(_) | Work::Script, None) => {
            load::run(context, EndCondition { stop, limit }, reserve).await
        }
    }
}

/// Overhead of this process and of its exited children up to now.
fn overhead() -> LoadGeneratorOverhead {
    let (own, children) = (Usage::own(), Usage::of_children());
    LoadGeneratorOverhead {
        own_cpu: own.cpu,
        own_peak: own.peak,
        children_cpu: children.cpu,
        // The kernel reports 0 for a process without children, as of an API scenario.
        largest_child: (children.peak > ByteSize(0)).then_some(children.peak),
    }
}

/// Context that all iterations of a scenario share.
struct ScenarioContext {
    run: RunDir,
    planned: PlannedScenario,
    plan: LoadPlan,
    /// Beginning of the names of clusters and jobs that iterations create.
    own_prefix: String,
    /// Shared resources of each infra; users, or arrivals, are assigned to infras round-robin.
    resources: Vec<InfraResources>,
    scenario: &'static Scenario,
    environment: Environment,
    client_settings: Rc<ClientSettings>,
    client: Arc<ApiClient>,
    credentials: Credentials,
    barrier: Barrier,
    timeline: Timeline,
    activity: ActivityLog,
    /// Working directory of sessions that `sky` processes send; `None` for other scenarios.
    workdir: Option<Workdir>,
    /// Times of the iterations whose processes have a SkyPilot user, in the order of these users.
    user_spans: RefCell<Vec<UserSpan>>,
    /// Requests that the scenario has cancelled.
    cancelled: CancelledRequests,
}

impl ScenarioContext {
    fn new(
        run: &RunDir,
        plan: &LoadPlan,
        environment: &Environment,
        planned: PlannedScenario,
    ) -> Result<Self, TrafficError> {
        if planned.parts().iter().any(|(scenario, _)| scenario.uploads()) {
            // Made before the load, since it takes the time of all users.
            _ = archive::zipped();
        }
        let command = format!("skyload {}", planned.id);
        let credentials = Credentials::for_server(&plan.server)?;
        let client = ApiClient::for_run(&run.id(), plan, environment, command, &credentials)?;
        Ok(Self {
            run: run.clone(),
            plan: plan.clone(),
            own_prefix: format!("{}-{}", run.id().tag(), planned.id.file_stem().replace('_', "-")),
            resources: InfraResources::of(run, plan, &planned)?,
            workdir: workdir_of(run, planned.id)?,
            scenario: Scenario::of(planned.id),
            planned,
            environment: environment.clone(),
            client_settings: Rc::new(environment.client.clone()),
            client: Arc::new(client),
            credentials,
            barrier: Barrier::of(run, plan),
            timeline: Timeline::start(),
            activity: ActivityLog::of(plan),
            user_spans: RefCell::default(),
            cancelled: CancelledRequests::default(),
        })
    }
}

/// Working directory of a scenario whose commands name one.
fn workdir_of(run: &RunDir, id: ScenarioId) -> Result<Option<Workdir>, RecordError> {
    let Work::Cli(commands) = Scenario::of(id).work else { return Ok(None) };
    if !commands.iter().any(|command| command.args.contains(&"{workdir}")) {
        return Ok(None);
    }
    let path = run.workdir();
    let created = Workdir::create(path.clone());
    let act = "create the working directory of sessions at";
    created.map(Some).map_err(|source| RecordError::Io { act, path, source })
}

impl ScenarioContext {
    /// Seed of what the scenario draws. Scenarios draw from sequences of their own.
    fn seed(&self) -> u64 {
        self.plan.seed.wrapping_add((self.planned.id as u64) << 16)
    }

    /// Sequence of random numbers of one iteration. It depends on nothing but the plan and the
    /// iteration, so that two runs of one plan send the same.
    fn random_of(&self, id: IterationId) -> fastrand::Rng {
        // The user of an arrival is the lowest free number, which depends on the server.
        let user = if self.planned.shape.is_open() { 0 } else { id.user };
        let of_iteration = (u64::from(user) << 32) | u64::from(id.number);
        // A sequence of its own: those of neighbouring seeds are independent.
        let seed = self.seed().wrapping_add(fastrand::Rng::with_seed(of_iteration).u64(..));
        fastrand::Rng::with_seed(seed)
    }

    /// Number of an iteration among those of all users, counted from 0, in the order in which users
    /// start that are equally fast.
    fn position_of(&self, id: IterationId) -> u64 {
        let number = u64::from(id.number);
        match self.planned.shape.is_open() {
            true => number,
            false => number * u64::from(self.planned.users) + u64::from(id.user),
        }
    }

    /// Whether an iteration of a scenario takes down the cluster that it has launched. The clusters
    /// of a burst stay until the end; those of a load that lasts for a time would fill the machine.
    fn takes_cluster_down(&self, scenario: &Scenario) -> bool {
        self.planned.shape.timed().is_some() && scenario.leaves_cluster()
    }
}

/// Interval at which files of other processes are polled.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
