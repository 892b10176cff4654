//! Setup before the load and teardown after it: carried out by the library, watched
//! from here.

use std::time::Duration;

use anyhow::{Context as _, Result};
use skyload::api::ApiClient;
use skyload::credentials::Credentials;
use skyload::plan::LoadPlan;
use skyload::poll;
use skyload::record::environment::Environment;
use skyload::record::events::StopReason;
use skyload::record::profile::Phase;
use skyload::record::resources::ResourceLog;
use skyload::record::{RunDir, read, read_optional, write_json};
use skyload::resources::{self, Hurry, Requests};

use super::phases::begin_phase;
use super::watch::{GLANCE, Watch};
use crate::ports::{SERVICES, is_free};
use crate::progress::Progress;
use crate::server::runtime;

/// When somebody wants an end.
const TEAR_DOWN_IN_HURRY: Duration = Duration::from_secs(3 * 60);

/// Launches what scenarios share. Returns why the run is to end early, if it is.
pub(super) fn set_up(
    watch: &mut Watch<'_>,
    plan: &LoadPlan,
    run: &RunDir,
    progress: Progress,
) -> Result<Option<StopReason>> {
    let step = progress.step("Launching what scenarios share");
    begin_phase(watch, plan, Phase::SetUp)?;
    let requests = requests(plan, run, watch.credentials)?;
    let mut ports = SERVICES.ports().into_iter();
    let port = ports.find(|port| is_free(*port)).context("finding a free port for the service")?;
    let id = run.id();
    let work = resources::set_up(&requests, &id, plan, Some(port), plan.scenario_timeout);
    let (ledger, stopped) = while_watching(watch, work)?;
    let mut ledger = ledger.unwrap_or_default();
    ledger.hide(watch.credentials);
    write_json(&run.resources(), &ledger)?;
    let failed = ledger.failed().count();
    step.done(match (stopped, failed) {
        (Some(_), _) => "stopped".to_owned(),
        (None, 0) if ledger.steps.is_empty() => "nothing is shared".to_owned(),
        (None, 0) => "done".to_owned(),
        (None, failed) => format!("{failed} of {} failed", ledger.steps.len()),
    });
    Ok(stopped)
}

/// Takes down what the run has created, and looks whether it is gone.
pub(super) fn tear_down(
    watch: &mut Watch<'_>,
    plan: &LoadPlan,
    run: &RunDir,
    progress: Progress,
) -> Result<()> {
    let (hurry, limit) = match watch.stopped() {
        None => (Hurry::No, plan.teardown_timeout),
        Some(_) => (Hurry::Stopped, TEAR_DOWN_IN_HURRY.min(plan.teardown_timeout)),
    };
    let step = progress.step("Taking down what was launched");
    begin_phase(watch, plan, Phase::TearDown)?;
    let requests = requests(plan, run, watch.credentials)?;
    let id = run.id();
    let ledger = read_optional(&run.resources())?;
    let mut ledger: ResourceLog = ledger.unwrap_or_default();
    // Not watched: what costs money is taken down however often somebody presses
    // Ctrl-C, and the limit is the end of it.
    runtime()?.block_on(resources::tear_down(&requests, &id, plan, hurry, limit, &mut ledger));
    ledger.hide(watch.credentials);
    write_json(&run.resources(), &ledger)?;
    watch.check_server()?;
    step.done(match ledger.left.as_slice() {
        [] if ledger.verified => "all gone".to_owned(),
        [] => "nobody could see whether all is gone".to_owned(),
        left => format!("still there: {}", left.join(", ")),
    });
    Ok(())
}

/// Carries out `work` until it is done or there is a reason to end early.
fn while_watching<T>(
    watch: &mut Watch<'_>,
    work: impl Future<Output = T>,
) -> Result<(Option<T>, Option<StopReason>)> {
    let reason = poll::until_async(GLANCE, || watch.look());
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
    let command = "skyload fixtures".to_owned();
    Ok(Requests::new(ApiClient::of_run(&run.id(), plan, &environment, command, credentials)?))
}
