//! Local infras of one run, started and ended together.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::infrastructure::LocalInfra;
use skyload::record::nodes::NodeFigures;

use crate::setup::ServerSetup;
use crate::skypilot::SkyPilot;
use crate::slurm::{Loopback, LoopbackOptions};

/// Running local infras. Dropping them ends those that this process has started.
pub struct LocalInfras {
    slurm: Option<Loopback>,
}

impl LocalInfras {
    /// Starts `infras`, or reuses those that are persistent.
    pub fn start(
        workspace: &Workspace,
        sky: &SkyPilot,
        infras: &BTreeSet<LocalInfra>,
        options: LoopbackOptions,
        signals: &Signals,
        progress: Progress,
    ) -> Result<Self> {
        let start_slurm = || {
            Loopback::start(workspace, sky, options, signals, progress)
                .context("starting the loopback Slurm cluster; skip it with `-c none`")
        };
        let slurm = infras.contains(&LocalInfra::Loopback).then(start_slurm).transpose()?;
        Ok(Self { slurm })
    }

    /// Settings of an API server that launches on all of the infras.
    pub fn server_setup(&self) -> Option<ServerSetup> {
        let slurm = self.slurm.as_ref().map(|slurm| slurm.server_setup().clone());
        ServerSetup::merged(slurm)
    }

    /// Whether any infra ran before this process, so that it continues to run afterwards.
    pub fn are_reused(&self) -> bool {
        self.slurm.as_ref().is_some_and(Loopback::is_reused)
    }

    /// Names of the clusters that are left although SkyPilot was to remove them: those whose
    /// names contain `tag`. Removes them.
    pub fn left(&self, tag: &str) -> Result<Vec<String>> {
        match &self.slurm {
            Some(slurm) => slurm.cancel_left(tag),
            None => Ok(Vec::new()),
        }
    }

    /// Ends the infras, unless they were reused. Returns CPU and memory of all nodes.
    pub fn finish(self) -> Result<NodeFigures> {
        match self.slurm {
            Some(slurm) => slurm.finish().context("stopping the loopback Slurm cluster"),
            None => Ok(NodeFigures::default()),
        }
    }
}
