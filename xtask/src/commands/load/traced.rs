//! One server whose executors are traced, with a scenario of one iteration or none.
//!
//! Nothing is measured: the results go to no report.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use skyload::plan::LoadPlan;
use skyload::poll;
use skyload::record::RunDir;
use skyload::record::write_json;

use super::active::ActiveRun;
use super::events::Events;
use super::infra::Infra;
use super::kills::KillWatch;
use super::monitor::Monitor;
use super::prepare;
use super::prepared::Prepared;
use super::{phases, served};
use crate::nextest::Tests;
use crate::server::{self, ServerSession, StopOutcome, Traced};

/// Interval of the checks whether the traces are there.
const INTERVAL: Duration = Duration::from_millis(200);

/// Server to trace.
pub(crate) struct TracedServer<'a> {
    /// Plan with the scenario.
    pub(crate) plan: &'a LoadPlan,
    pub(crate) traced: Traced,
    /// Parent of the directory of the results.
    pub(crate) under: &'a Path,
    /// Time limit for the traces, from the end of the load.
    pub(crate) limit: Duration,
}

impl TracedServer<'_> {
    /// Starts the server, runs the scenario, and waits until `is_done` or the time limit. Returns
    /// the directory with the traces and the server's record of requests.
    pub(crate) fn run(
        &self,
        prepared: &Prepared<'_>,
        tests: &Tests,
        is_done: impl FnMut(&RunDir) -> Result<bool>,
    ) -> Result<RunDir> {
        let (plan, coordinator) = (self.plan, &prepared.coordinator);
        let (signals, progress) = (coordinator.signals, coordinator.progress);
        let infra = Infra::start(plan, coordinator.workspace, &prepared.sky, signals, progress)?;
        let run = prepare::create_run_dir(self.under, &prepared.request, plan, None)?;
        let context = server::Context {
            plan,
            run: &run,
            workspace: coordinator.workspace,
            sky: &prepared.sky,
            counted: prepared.counted,
            signals,
            progress,
            yes: prepared.request.yes,
            setup: infra.server_setup(),
            // They are for the run that was asked for alone.
            copies_credentials: false,
            metrics_login: None,
            credentials: prepared.credentials.clone(),
            traced: Some(self.traced),
        };
        let events = Events::open(&run)?;
        let server = ServerSession::begin(&context)?;
        let environment = prepare::environment(&context, &server, infra.modifications())?;
        write_json(&run.environment(), &environment)?;
        infra.check(&context)?;
        let kills = KillWatch::new(None, events.now());
        let mut active = ActiveRun {
            plan,
            directory: &run,
            tests,
            credentials: &context.credentials,
            progress,
            nodes_persist: infra.persists(),
            scraper: None,
            monitor: Monitor::new(signals, &server, None, events, &run, kills, progress),
        };
        // No `?` before the end: nodes are stopped after an error, too.
        let loaded = phases::load_alone(&mut active);
        served::record(&context, active.monitor.stopped());
        let waited = self.wait(&run, &mut active.monitor, is_done);
        signals.acknowledge();
        let step = progress.step("Stopping the server");
        let outcome = server.finish(false, signals).context("stopping the server")?;
        step.done("done");
        if let StopOutcome::StopFailed(error) = outcome {
            progress.note(format!("`sky api stop` failed, skyload killed the server: {error:#}"));
        }
        _ = infra.finish(&run)?;
        loaded.and(waited)?;
        Ok(run)
    }

    fn wait(
        &self,
        run: &RunDir,
        monitor: &mut Monitor<'_>,
        mut is_done: impl FnMut(&RunDir) -> Result<bool>,
    ) -> Result<()> {
        poll::during(self.limit, INTERVAL, || {
            let is_over = monitor.stop_reason()?.is_some() || is_done(run)?;
            anyhow::Ok(is_over.then_some(()))
        })?;
        Ok(())
    }
}
