//! Setup before the load and teardown after it: carried out by the library, watched
//! from here.

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
use super::monitor::{POLL_INTERVAL, Monitor};
use crate::server::runtime;

/// When somebody wants an end.
const TEAR_DOWN_IN_HURRY: Duration = Duration::from_secs(3 * 60);

/// Launches what scenarios share. Returns why the run is to end early, if it is.
pub(super) fn set_up(run: &mut ActiveRun<'_>) -> Result<Option<StopReason>> {
    let (plan, file) = (run.plan, run.directory.resources());
    let step = run.progress.step("Setting up shared resources");
    run.begin_phase(Phase::SetUp)?;
    let requests = requests(plan, run.directory, run.credentials)?;
    let mut ports = SERVICES.ports().into_iter();
    let port = ports.find(|port| is_free(*port)).context("finding a free port for the service")?;
    let id = run.directory.id();
    let work = resources::set_up(&requests, &id, plan, Some(port), plan.scenario_timeout);
    let (log, stopped) = while_watching(&mut run.watch, work)?;
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

/// Takes down what the run has created, and looks whether it is gone.
pub(super) fn tear_down(run: &mut ActiveRun<'_>) -> Result<()> {
    let (plan, file) = (run.plan, run.directory.resources());
    let (mode, limit) = match run.watch.stopped() {
        None => (TeardownMode::WaitForJobs, plan.teardown_timeout),
        Some(_) => (TeardownMode::CancelJobs, TEAR_DOWN_IN_HURRY.min(plan.teardown_timeout)),
    };
    let step = run.progress.step("Tearing down");
    run.begin_phase(Phase::TearDown)?;
    let requests = requests(plan, run.directory, run.credentials)?;
    let id = run.directory.id();
    let log = read_optional(&file)?;
    let mut log: ResourceLog = log.unwrap_or_default();
    // Not watched: what costs money is taken down however often somebody presses
    // Ctrl-C, and the limit is the end of it.
    runtime()?.block_on(resources::tear_down(&requests, &id, plan, mode, limit, &mut log));
    log.hide(run.credentials);
    write_json(&file, &log)?;
    run.watch.check_server()?;
    step.done(match log.left.as_slice() {
        [] if log.verified => "all removed".to_owned(),
        [] => "could not verify, listing failed".to_owned(),
        left => format!("not removed: {}", left.join(", ")),
    });
    Ok(())
}

/// Carries out `work` until it is done or there is a reason to end early.
fn while_watching<T>(
    watch: &mut Monitor<'_>,
    work: impl Future<Output = T>,
) -> Result<(Option<T>, Option<StopReason>)> {
    let reason = poll::until_async(POLL_INTERVAL, || watch.look());
    runtime()?.block_on(async {
        tokio::select! {
            done = work => Ok((Some(done), None)),
            reason = reason => Ok((None, Some(reason?))),
        }
    })
}

/// A client that acts for the run.
pub(super) fn requests(
    plan: &LoadPlan,
    run: &RunDir,
    credentials: &Credentials,
) -> Result<Requests> {
    let environment: Environment = read(&run.environment())?;
    let command = "skyload shared resources".to_owned();
    Ok(Requests::new(ApiClient::for_run(&run.id(), plan, &environment, command, credentials)?))
}
