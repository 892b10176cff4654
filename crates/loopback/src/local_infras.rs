//! Local infras of one run, started and ended together.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::infrastructure::LocalInfra;
use skyload::record::nodes::NodeFigures;

use crate::record::Record;
use crate::running::{InfraOptions, Running};
use crate::setup::ServerSetup;
use crate::skypilot::SkyPilot;
use crate::slurm;

/// Running local infras. Dropping them ends those that this process has started.
pub struct LocalInfras {
    slurm: Option<slurm::Cluster>,
}

impl LocalInfras {
    /// Starts `infras`, or reuses those that are persistent.
    pub fn start(
        workspace: &Workspace,
        sky: &SkyPilot,
        infras: &BTreeSet<LocalInfra>,
        options: InfraOptions,
        signals: &Signals,
        progress: Progress,
    ) -> Result<Self> {
        let start_slurm = || {
            slurm::Cluster::start(workspace, sky, options, signals, progress)
                .context("starting the loopback Slurm cluster; skip it with `-c none`")
        };
        let slurm = infras.contains(&LocalInfra::Loopback).then(start_slurm).transpose()?;
        Ok(Self { slurm })
    }

    fn running(&self) -> impl Iterator<Item = &Running> {
        self.slurm.iter().map(|cluster| &cluster.running)
    }

    /// Settings of an API server that launches on all of the infras.
    pub fn server_setup(&self) -> Option<ServerSetup> {
        ServerSetup::merged(self.running().map(|running| running.server_setup().clone()))
    }

    /// Records of the infras.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.running().map(|running| &running.record)
    }

    /// Whether any infra ran before this process, so that it continues to run afterwards.
    pub fn are_reused(&self) -> bool {
        self.running().any(Running::is_reused)
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
        let finish = |running: Running| {
            let name = running.record.name();
            running.finish().with_context(|| format!("stopping {name}"))
        };
        // All are ended before an error is returned.
        let figures: Vec<_> =
            self.slurm.into_iter().map(|cluster| cluster.running).map(finish).collect();
        let figures = figures.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(figures.into_iter().next().unwrap_or_default())
    }

    /// Leaves the infras running, until `cargo xtask infra down`.
    pub fn keep(self) {
        if let Some(cluster) = self.slurm {
            cluster.running.keep();
        }
    }
}

/// Clusters on a running infra, with their states, for display.
pub fn clusters(record: &Record, workspace: &Workspace, progress: Progress) -> Result<Vec<String>> {
    match record.infra() {
        LocalInfra::Loopback => slurm::jobs(record, workspace, progress),
        LocalInfra::EmulatedAws | LocalInfra::EmulatedKubernetes => Ok(Vec::new()),
    }
}
