//! What a run launches on, while it lasts.

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

/// What a run launches on.
pub(super) enum Infra {
    /// Nothing.
    None,
    /// A Slurm of our own.
    Loopback(Box<Loopback>),
    /// What the user has.
    Clouds,
}

impl Infra {
    /// Gets it ready, as far as that is possible before there is a server.
    pub(super) fn prepare(
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

    /// What the server must be given for it.
    pub(super) fn server_setup(&self) -> Option<&ServerSetup> {
        match self {
            Self::Loopback(loopback) => Some(loopback.server_setup()),
            Self::None | Self::Clouds => None,
        }
    }

    /// What differs for its sake from SkyPilot as it is.
    pub(super) fn changes(&self) -> Vec<String> {
        self.server_setup().map(|setup| setup.modifications.clone()).unwrap_or_default()
    }

    /// Has the server check, as `sky check` does, that it can launch on it.
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
            Ok(Some(disabled)) => return Err(refusal(&disabled).into()),
            Err(failure) => {
                anyhow::bail!("asking the server to check its infrastructure: {failure}")
            }
        }
        Ok(())
    }

    /// Whether it is there when the run is gone.
    pub(super) fn stays(&self) -> bool {
        match self {
            Self::Loopback(loopback) => loopback.is_reused(),
            Self::None | Self::Clouds => true,
        }
    }

    /// Ends it, once the server has ended, and notes what the nodes cost. Jobs of the
    /// run that are still in Slurm's queue are cancelled; their names are returned.
    pub(super) fn finish(self, run: &RunDir) -> Result<Vec<String>> {
        let Self::Loopback(loopback) = self else { return Ok(Vec::new()) };
        let tag = run.id().tag();
        let jobs = loopback.slurm_jobs().unwrap_or_else(|error| {
            // One that is taken down is empty whether or not it could be seen.
            vec![format!("{tag}: the queue could not be listed: {error:#}")]
        });
        let left: Vec<String> = jobs.into_iter().filter(|job| job.contains(&tag)).collect();
        if !left.is_empty() {
            loopback.cancel_jobs(&tag).context("cancelling what is left in Slurm's queue")?;
        }
        let figures = loopback.finish().context("ending the loopback infrastructure")?;
        write_json(&run.nodes(), &figures)?;
        Ok(left)
    }
}

fn refusal(disabled: &Disabled) -> UsageErrors {
    UsageErrors(vec![format!(
        "-c: the server cannot launch on {}; SkyPilot says:\n{}\n  hint: `sky check` says what to do; \
         `-c loopback` needs nothing of yours",
        disabled.infras.join(", "),
        disabled.reason
    )])
}
