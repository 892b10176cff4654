//! Setup of shared resources before the load, and teardown after it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use host::ports::{SERVICES, is_free};
use skyload::api::ApiClient;
use skyload::credentials::Credentials;
use skyload::plan::LoadPlan;
use skyload::poll;
use skyload::record::environment::Environment;
use skyload::record::events::StopReason;
use skyload::record::profile::Phase;
use skyload::record::resources::ResourceLog;
use skyload::record::{RunDir, read, read_optional, write_json};
use skyload::resources::{self, Requests, TeardownMode};

use super::active::ActiveRun;
use super::monitor::{Monitor, POLL_INTERVAL};
use crate::server::runtime;

/// Time limit of the teardown after the run was stopped early.
const TEARDOWN_LIMIT_AFTER_STOP: Duration = Duration::from_secs(3 * 60);

/// Sets up the shared resources. Returns a reason to end the run early, if there is one.
pub(super) fn set_up(run: &mut ActiveRun<'_>) -> Result<Option<StopReason>> {
    let (plan, file) = (run.plan, run.directory.resources());
    let step = run.progress.step("Setting up shared resources");
    run.begin_phase(Phase::SetUp)?;
    let requests = requests(plan, run.directory, run.credentials)?;
    let mut ports = SERVICES.ports().into_iter();
    let port = ports.find(|port| is_free(*port)).context("finding a free port for the service")?;
    let id = run.directory.id();
    let work = resources::set_up(&requests, &id, plan, Some(port), plan.scenario_timeout);
    let (log, stopped) = until_stopped(&mut run.monitor, work)?;
    // A setup that was stopped has no log. The teardown finds its resources by their names.
    let mut log = log.unwrap_or_default();
    log.hide(run.credentials);
    write_json(&file, &log)?;
    let failed = log.failed().count();
    step.done(match (stopped, failed) {
        (Some(_), _) => "stopped".to_owned(),
        (None, 0) if log.steps.is_empty() => "none needed".to_owned(),
        (None, 0) => "done".to_owned(),
        (None, failed) => format!("{failed} of {} failed", log.steps.len()),
    });
    Ok(stopped)
}

/// Tears down the run's resources, and verifies that they are removed.
pub(super) fn tear_down(run: &mut ActiveRun<'_>) -> Result<()> {
    let (plan, file) = (run.plan, run.directory.resources());
    let (mode, limit) = match run.monitor.stopped() {
        None => (TeardownMode::WaitForJobs, plan.teardown_timeout),
        Some(_) => (TeardownMode::CancelJobs, TEARDOWN_LIMIT_AFTER_STOP.min(plan.teardown_timeout)),
    };
    let step = run.progress.step("Tearing down");
    // An error waits for the end of the teardown: a full disk must not leave clusters that cost money.
    let began = run.begin_phase(Phase::TearDown);
    let requests = requests(plan, run.directory, run.credentials)?;
    let id = run.directory.id();
    let log = read_optional(&file)?;
    let mut log: ResourceLog = log.unwrap_or_default();
    // Not interrupted by Ctrl-C, since remaining resources may cost money. The time limit bounds
    // the teardown.
    runtime()?.block_on(resources::tear_down(&requests, &id, plan, mode, limit, &mut log));
    began?;
    log.hide(run.credentials);
    write_json(&file, &log)?;
    run.monitor.check_server()?;
    step.done(match log.left.as_slice() {
        [] if log.verified => "all removed".to_owned(),
        [] => "could not verify, listing failed".to_owned(),
        left => format!("not removed: {}", left.join(", ")),
    });
    Ok(())
}

/// Runs `work` until it is done or there is a reason to end early.
fn until_stopped<T>(
    monitor: &mut Monitor<'_>,
    work: impl Future<Output = T>,
) -> Result<(Option<T>, Option<StopReason>)> {
    let reason = poll::until_async(POLL_INTERVAL, || monitor.stop_reason());
    runtime()?.block_on(async {
        tokio::select! {
            done = work => Ok((Some(done), None)),
            reason = reason => Ok((None, Some(reason?))),
        }
    })
}

/// Client that sends requests on behalf of the run.
pub(super) fn requests(
    plan: &LoadPlan,
    run: &RunDir,
    credentials: &Credentials,
) -> Result<Requests> {
    let environment: Environment = read(&run.environment())?;
    let command = "skyload shared resources".to_owned();
    Ok(Requests::new(ApiClient::for_run(&run.id(), plan, &environment, command, credentials)?))
}
