//! Local infras of one run, started and ended together.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::infrastructure::LocalInfra;
use skyload::record::nodes::NodeFigures;

use crate::record::Record;
use crate::running::Running;
use crate::setup::ServerSetup;
use crate::start::Start;
use crate::{aws, kubernetes, slurm};

/// Running local infras. Dropping them ends those that this process has started.
pub struct LocalInfras {
    slurm: Option<slurm::Cluster>,
    aws: Option<aws::Emulation>,
    kubernetes: Option<Running>,
}

impl LocalInfras {
    /// Starts `infras`, or reuses those that are persistent.
    pub fn start(start: Start<'_>, infras: &BTreeSet<LocalInfra>) -> Result<Self> {
        let mut started = Self { slurm: None, aws: None, kubernetes: None };
        for infra in infras {
            let starting = || format!("starting {}", infra.name());
            match infra {
                LocalInfra::Loopback => {
                    let cluster = slurm::Cluster::start(start);
                    started.slurm = Some(
                        cluster
                            .with_context(|| format!("{}; skip it with `-c none`", starting()))?,
                    );
                }
                LocalInfra::EmulatedAws => {
                    let aws = aws::Emulation::start(start);
                    started.aws = Some(aws.with_context(starting)?);
                }
                LocalInfra::EmulatedKubernetes => {
                    let running = kubernetes::start(start);
                    started.kubernetes = Some(running.with_context(starting)?);
                }
            }
        }
        Ok(started)
    }

    fn running(&self) -> impl Iterator<Item = &Running> {
        let slurm = self.slurm.iter().map(|cluster| &cluster.running);
        slurm.chain(self.aws.iter().map(|aws| &aws.running)).chain(&self.kubernetes)
    }

    fn into_running(self) -> impl Iterator<Item = Running> {
        let slurm = self.slurm.into_iter().map(|cluster| cluster.running);
        slurm.chain(self.aws.into_iter().map(|aws| aws.running)).chain(self.kubernetes)
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
        let in_aws: Vec<String> = self.aws.iter().flat_map(|aws| aws.terminate_left(tag)).collect();
        let mut left = match &self.slurm {
            Some(slurm) => slurm.cancel_left(tag)?,
            None => Vec::new(),
        };
        left.extend(in_aws);
        Ok(left)
    }

    /// Ends the infras, unless they were reused. Returns CPU and memory of all nodes.
    pub fn finish(self) -> Result<NodeFigures> {
        let finish = |running: Running| {
            let name = running.record.name();
            running.finish().with_context(|| format!("stopping {name}"))
        };
        // All are ended before an error is returned.
        let figures: Vec<Result<NodeFigures>> = self.into_running().map(finish).collect();
        let figures = figures.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(NodeFigures::merged(figures))
    }

    /// Leaves the infras running, until `cargo xtask infra down`.
    pub fn keep(self) {
        for running in self.into_running() {
            running.keep();
        }
    }
}

/// Clusters on a running infra, with their states, for display.
pub fn clusters(record: &Record, workspace: &Workspace, progress: Progress) -> Result<Vec<String>> {
    match record.infra() {
        LocalInfra::Loopback => slurm::jobs(record, workspace, progress),
        LocalInfra::EmulatedAws => aws::instances(record),
        LocalInfra::EmulatedKubernetes => Ok(Vec::new()),
    }
}
