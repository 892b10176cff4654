//! API server for the benchmarks, without shared resources.

use anyhow::{Context as _, Result};
use host::workspace::Workspace;
use skyload::config::Config;
use skyload::credentials::Credentials;
use skyload::plan::{LoadPlan, Machine};
use skyload::record::RunDir;
use skyload::record::request::LoadRequest;

use super::site::Site;
use crate::server::{Context, ServerSession};
use crate::sky::{Extras, SkyInstallation};

/// Plan of a load that launches nothing, for the start of the server.
pub(super) fn plan(
    sky: Option<&str>,
    workspace: &Workspace,
    machine: &Machine,
) -> Result<LoadPlan> {
    let request = LoadRequest {
        users: Some("1".to_owned()),
        api: vec!["status".to_owned()],
        infra: vec!["none".to_owned()],
        sky: sky.map(str::to_owned),
        ..LoadRequest::default()
    };
    let config = Config::read(&workspace.root.join("skyload.toml"))?;
    Ok(LoadPlan::resolve(&request, &config, machine)?)
}

impl Site {
    /// Starts the server, runs `work`, and stops the server, also if `work` failed.
    pub(super) fn with_server<T>(
        &self,
        run: &RunDir,
        work: impl FnOnce(&ServerSession, &SkyInstallation) -> Result<T>,
    ) -> Result<T> {
        let Self { workspace, server: plan, signals, progress, .. } = self;
        let sky =
            SkyInstallation::prepare(&plan.sky, &Extras::default(), &workspace.state, progress)?;
        signals.check()?;
        let session = ServerSession::begin(&Context {
            plan,
            run,
            workspace,
            sky: &sky,
            counted: None,
            signals,
            progress: *progress,
            yes: false,
            setup: None,
            copies_credentials: false,
            credentials: Credentials::None,
            metrics_login: None,
            traced: None,
        })?;
        let done = work(&session, &sky);
        // A Ctrl-C that ended the work does not cancel the stop; another one does.
        signals.acknowledge();
        let step = progress.step("Stopping the server");
        session.finish(false, signals).context("stopping the server")?;
        step.done("done");
        done
    }
}
