//! Infra of a run, from its start to its end.

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use loopback::{Lifetime, Loopback, LoopbackOptions, NodePriority, ServerSetup};
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
    /// Loopback Slurm cluster.
    Loopback(Box<Loopback>),
    /// Infras of the user, such as clouds.
    Clouds,
}

impl Infra {
    /// Starts the loopback Slurm cluster, if the plan uses it.
    pub(super) fn start(
        plan: &LoadPlan,
        workspace: &Workspace,
        sky: &SkyInstallation,
        signals: &Signals,
        progress: Progress,
    ) -> Result<Self> {
        Ok(match plan.infrastructure {
            _ if !plan.launches() => Self::None,
            Infrastructure::None => Self::None,
            Infrastructure::Loopback => Self::Loopback(Box::new(Loopback::start(
                workspace,
                &sky.for_nodes(),
                LoopbackOptions {
                    lifetime: Lifetime::ThisProcess,
                    priority: NodePriority::on(plan.speed),
                },
                signals,
                progress,
            )?)),
            Infrastructure::Clouds(_) => Self::Clouds,
        })
    }

    /// Setup of the server for the loopback Slurm cluster.
    pub(super) fn server_setup(&self) -> Option<&ServerSetup> {
        match self {
            Self::Loopback(loopback) => Some(loopback.server_setup()),
            Self::None | Self::Clouds => None,
        }
    }

    /// Modifications of SkyPilot for loopback; empty otherwise.
    pub(super) fn modifications(&self) -> Vec<String> {
        self.server_setup().map(|setup| setup.modifications.clone()).unwrap_or_default()
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
            Self::Loopback(loopback) => loopback.is_reused(),
            Self::None | Self::Clouds => true,
        }
    }

    /// Stops the loopback Slurm cluster after the server has stopped, and records the nodes' CPU
    /// time and memory. Cancels the run's jobs in Slurm's queue, and returns their names.
    pub(super) fn finish(self, run: &RunDir) -> Result<Vec<String>> {
        let Self::Loopback(loopback) = self else { return Ok(Vec::new()) };
        let tag = run.id().tag();
        let jobs = loopback.slurm_jobs().unwrap_or_else(|error| {
            // Reported like a job, since jobs may be left. The tag passes the filter below.
            vec![format!("{tag}: listing the queue failed: {error:#}")]
        });
        let left: Vec<String> = jobs.into_iter().filter(|job| job.contains(&tag)).collect();
        if !left.is_empty() {
            loopback.cancel_jobs(&tag).context("cancelling the run's jobs in Slurm's queue")?;
        }
        let figures = loopback.finish().context("stopping the loopback Slurm cluster")?;
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
