//! Infra of a run, from its start to its end.

use anyhow::Result;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use loopback::{InfraOptions, Lifetime, LocalInfras, NodePriority, ServerSetup, Start};
use skyload::infrastructure::Infrastructure;
use skyload::plan::{LoadPlan, UsageErrors};
use skyload::record::RunDir;
use skyload::record::write_json;
use skyload::resources::{Disabled, find_disabled};

use super::resources::requests;
use crate::server::{self, runtime};
use crate::sky::SkyInstallation;

/// Infra that a run launches on.
pub(super) enum Infra {
    /// Run that launches nothing.
    None,
    /// Infras on this machine.
    Local(Box<LocalInfras>),
    /// Infras of the user, such as clouds.
    Clouds,
}

impl Infra {
    /// Starts the local infras that the plan uses.
    pub(super) fn start(
        plan: &LoadPlan,
        workspace: &Workspace,
        sky: &SkyInstallation,
        signals: &Signals,
        progress: Progress,
    ) -> Result<Self> {
        Ok(match &plan.infrastructure {
            Infrastructure::Local(infras) => {
                let options = InfraOptions {
                    lifetime: Lifetime::ThisProcess,
                    priority: NodePriority::on(plan.speed),
                    catalog: plan.catalog.clone(),
                    kubernetes_size: plan.kubernetes_size,
                };
                let (sky, options) = (&sky.for_nodes(), &options);
                let start = Start { workspace, sky, options, signals, progress };
                Self::Local(Box::new(LocalInfras::start(start, infras)?))
            }
            // Nothing is launched: `sky check` would change what the server has in memory.
            Infrastructure::Clouds(_) if !plan.launches() && !plan.has_cloud_enabled() => {
                Self::None
            }
            Infrastructure::Clouds(_) => Self::Clouds,
            Infrastructure::None => Self::None,
        })
    }

    /// Setup of the server for the local infras.
    pub(super) fn server_setup(&self) -> Option<ServerSetup> {
        match self {
            Self::Local(infras) => infras.server_setup(),
            Self::None | Self::Clouds => None,
        }
    }

    /// Modifications of SkyPilot for loopback; empty otherwise.
    pub(super) fn modifications(&self) -> Vec<String> {
        self.server_setup().map(|setup| setup.modifications).unwrap_or_default()
    }

    /// Checks that the infra is enabled on the server, as `sky check` does.
    pub(super) fn check(&self, context: &server::Context<'_>) -> Result<()> {
        if matches!(self, Self::None) {
            return Ok(());
        }
        let server::Context { plan, run, signals, progress, .. } = *context;
        let infras = plan.infrastructure.names();
        let step = progress.step(format!("sky check {}", infras.join(" ")));
        let requests = requests(plan, run, &context.credentials)?;
        let checked = find_disabled(&requests, &infras);
        let checked = runtime()?.block_on(signals.unless_interrupted(checked));
        match checked? {
            Ok(None) => step.done("enabled"),
            Ok(Some(disabled)) if plan.infrastructure.is_local() => anyhow::bail!(
                "{} is not enabled on SkyPilot {}, although skyload provides it; `sky check`:\n{}\n  \
                 hint: try another release with --sky, or `-c loopback`",
                disabled.infras.join(", "),
                context.sky.facts.version,
                disabled.reason
            ),
            Ok(Some(disabled)) => return Err(not_enabled(&disabled).into()),
            Err(failure) => {
                anyhow::bail!("checking which infras are enabled on the server: {failure}")
            }
        }
        Ok(())
    }

    /// Whether clusters on the infra outlive the run unless they are torn down.
    pub(super) fn persists(&self) -> bool {
        match self {
            Self::Local(infras) => infras.are_reused(),
            Self::None | Self::Clouds => true,
        }
    }

    /// Stops the local infras after the server has stopped, and records the nodes' CPU time and
    /// memory. Removes what the run has left on them, and returns its names.
    pub(super) fn finish(self, run: &RunDir) -> Result<Vec<String>> {
        let Self::Local(infras) = self else { return Ok(Vec::new()) };
        let tag = run.id().tag();
        let left = infras.left(&tag)?;
        let figures = infras.finish()?;
        write_json(&run.nodes(), &figures)?;
        Ok(left)
    }
}

fn not_enabled(disabled: &Disabled) -> UsageErrors {
    UsageErrors(vec![format!(
        "-c: {} is not enabled on the server; `sky check`:\n{}\n  hint: fix the credentials, or \
         use `-c loopback`, which needs none",
        disabled.infras.join(", "),
        disabled.reason
    )])
}
