//! Local infra that this process uses: one that it has started, or a persistent one.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::ids::ProcessIdentity;
use skyload::infrastructure::{KubernetesSize, LocalInfra};
use skyload::record::nodes::NodeFigures;

use crate::priority::NodePriority;
use crate::record::Record;
use crate::setup::ServerSetup;
use crate::supervisor::{self, Daemon, Launched};

/// Options of local infras.
#[derive(Clone)]
pub struct InfraOptions {
    /// Lifetime of the infras.
    pub lifetime: Lifetime,
    /// CPU priority of node processes.
    pub priority: NodePriority,
    /// Folder with catalogs for emulated infras; `None` for the public ones.
    pub catalog: Option<PathBuf>,
    /// Size of emulated Kubernetes.
    pub kubernetes_size: KubernetesSize,
}

/// Lifetime of a local infra.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Infra ends with the process that starts it.
    ThisProcess,
    /// Infra runs until `cargo xtask infra down`.
    UntilInfraDown,
}

/// Local infra in use. Dropping it tears the infra down if this process has started it and
/// neither [`Self::finish`] nor [`Self::keep`] was called.
pub(crate) struct Running {
    workspace: Workspace,
    pub(crate) record: Record,
    setup: ServerSetup,
    /// Whether the infra ran before this process, so that it continues to run afterwards.
    is_reused: bool,
    /// Figures of a reused infra when this process began to use it.
    before: NodeFigures,
    /// Whether dropping has nothing left to do.
    ended: bool,
}

/// Removes the local infras of runs that were killed, but not persistent ones.
pub fn clean_up_after_dead_runs(workspace: &Workspace, progress: Progress) -> Result<()> {
    LocalInfra::ALL.into_iter().try_for_each(|infra| clean_up(workspace, infra, progress))
}

/// Removes an infra of a run that was killed, but not a persistent one.
pub(crate) fn clean_up(workspace: &Workspace, infra: LocalInfra, progress: Progress) -> Result<()> {
    let Some(record) = Record::read(workspace, infra)? else { return Ok(()) };
    if record.is_persistent() || record.is_in_use() {
        return Ok(());
    }
    let step = progress.step(format!("Removing {} of a run that was killed", record.name()));
    let (_, killed) = record.tear_down(workspace)?;
    step.done(format!("killed {killed} leaked processes"));
    Ok(())
}

impl Lifetime {
    /// Process that an infra of this lifetime ends with; `None` for a persistent infra.
    pub(crate) fn owner(self) -> Option<ProcessIdentity> {
        match self {
            Self::ThisProcess => ProcessIdentity::current(),
            Self::UntilInfraDown => None,
        }
    }
}

impl Running {
    /// Infra that this process has started, or is about to start.
    pub(crate) fn started(workspace: &Workspace, record: Record, setup: ServerSetup) -> Self {
        let workspace = Workspace { root: workspace.root.clone(), state: workspace.state.clone() };
        let before = NodeFigures::default();
        Self { workspace, record, setup, is_reused: false, before, ended: false }
    }

    /// Persistent infra, for a SkyPilot whose wheel has the hash `wheel_hash`; `None` for an infra
    /// without nodes.
    pub(crate) fn reused(
        workspace: &Workspace,
        record: Record,
        setup: ServerSetup,
        wheel_hash: Option<&str>,
        progress: Progress,
    ) -> Result<Self> {
        // A SkyPilot that skyload did not install may have changed since the infra's start.
        if record.wheel_hash.as_deref() != wheel_hash {
            bail!("{}", record.wrong_sky());
        }
        progress.note(format!("Using {}, which is running ({})", record.name(), record.id));
        let mut running = Self::started(workspace, record, setup);
        running.is_reused = true;
        running.before = running.record.figures()?;
        Ok(running)
    }

    /// Starts the supervisor of the infra, whose folder has been made. `variables` are the complete
    /// environment of the daemons.
    pub(crate) fn launch(
        &mut self,
        variables: Vec<(String, String)>,
        daemons: Vec<Daemon>,
    ) -> Result<Launched> {
        let launched = supervisor::launch(&self.workspace, &self.record, variables, daemons)?;
        self.record.supervisor = launched.identity();
        // Written again, so that the next run finds the supervisor if this one is killed.
        self.record.write(&self.workspace)?;
        Ok(launched)
    }

    /// Settings of an API server that launches on the infra.
    pub(crate) const fn server_setup(&self) -> &ServerSetup {
        &self.setup
    }

    /// Whether the infra ran before this process, so that it continues to run afterwards.
    pub(crate) const fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Figures without CPU time and exposed sockets from before this process. Peak memory is
    /// since the nodes were started.
    fn without_earlier(&self, mut figures: NodeFigures) -> NodeFigures {
        figures.cpu = figures.cpu.saturating_sub(self.before.cpu);
        if let (Some(api), Some(before)) = (&mut figures.cloud_api, self.before.cloud_api) {
            api.cpu = api.cpu.saturating_sub(before.cpu);
        }
        figures.exposed.retain(|socket| !self.before.exposed.contains(socket));
        figures
    }

    /// Tears the infra down, unless it was reused. Returns CPU and memory of the nodes.
    pub(crate) fn finish(mut self) -> Result<NodeFigures> {
        // Before the teardown: if that fails, Drop must not repeat it.
        self.ended = true;
        // The teardown below ends the supervisor, so this must be known before.
        let killed = (!self.record.is_up())
            .then(|| format!("the supervisor of {} was killed", self.record.name()));
        let figures = if self.is_reused {
            self.record.figures()?
        } else {
            let (figures, _) = self.record.tear_down(&self.workspace)?;
            ensure!(
                !self.record.folder.exists()
                    && fs::metadata(self.record.file(&self.workspace)).is_err(),
                "`{}` still exists after teardown",
                self.record.folder.display()
            );
            figures
        };
        let figures = self.without_earlier(figures);
        Ok(NodeFigures { failure: figures.failure.or(killed), ..figures })
    }

    /// Leaves the infra running, until `cargo xtask infra down`.
    pub(crate) fn keep(mut self) {
        self.ended = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended && !self.is_reused {
            // After an error the record stays, and the next run tears down.
            _ = self.record.tear_down(&self.workspace);
        }
    }
}
