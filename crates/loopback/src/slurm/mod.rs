//! Loopback Slurm cluster: a real Slurm from the distribution's packages, with one node that is
//! both login node and compute node, on 127.0.0.1.
//!
//! [`Loopback::start`] starts the cluster. Its parts, from the bottom up:
//!
//! * [`packages`]: programs, installed or unpacked.
//! * [`ports`], [`layout`] and [`configs`]: ports, paths and configuration files.
//! * [`record`]: cleanup record, written before anything is started.
//! * [`start`]: provisioning of the folder, and start of the supervisor.
//! * [`node`] and [`queue`]: Slurm commands as the nodes' user.
//! * [`setup`]: settings of an API server that launches on the cluster.

mod configs;
mod layout;
mod node;
mod packages;
mod ports;
mod queue;
mod record;
mod setup;
mod start;

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::infrastructure::LOOPBACK;
use skyload::record::Version;
use skyload::record::nodes::NodeFigures;

pub use record::Record;

use crate::account::Account;
use crate::base_dir::BaseDir;
use crate::image::{self, Image};
use crate::leaked_files;
use crate::priority::NodePriority;
use crate::setup::ServerSetup;
use crate::skypilot::SkyPilot;
use node::Node;
use packages::Packages;
use ports::Ports;

/// Reason why a loopback Slurm cluster cannot run on this machine, in one line.
pub(crate) fn obstacle() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("Slurm requires Linux".to_owned());
    }
    packages::obstacle()
}

/// Reason why `sky` cannot launch on a loopback Slurm cluster, in one line, as far as known
/// without running `sky`.
pub(crate) fn obstacle_of(sky: &SkyPilot) -> Option<String> {
    image::obstacle(sky)
}

/// Removes the loopback Slurm cluster of a run that was killed, but not a persistent one.
pub fn clean_up_after_dead_runs(workspace: &Workspace, progress: Progress) -> Result<()> {
    let Some(record) = Record::read(workspace)? else { return Ok(()) };
    if record.is_persistent() || record.is_in_use() {
        return Ok(());
    }
    let step = progress.step("Removing the loopback Slurm cluster of a run that was killed");
    let (_, killed) = record.tear_down(workspace)?;
    step.done(format!("killed {killed} leaked processes"));
    Ok(())
}

/// Running loopback Slurm cluster. Dropping it tears the cluster down if this process has
/// started it and neither [`Self::finish`] nor [`Self::keep`] was called.
pub struct Loopback {
    workspace: Workspace,
    record: Record,
    node: Node,
    setup: ServerSetup,
    /// Whether the cluster ran before this process, so that it continues to run afterwards.
    is_reused: bool,
    /// Figures of a reused cluster when this process began to use it.
    before: NodeFigures,
    /// Whether dropping has nothing left to do.
    ended: bool,
}

/// Options of a loopback Slurm cluster.
#[derive(Clone, Copy)]
pub struct LoopbackOptions {
    /// Lifetime of the cluster.
    pub lifetime: Lifetime,
    /// CPU priority of node processes.
    pub priority: NodePriority,
}

/// Lifetime of a loopback Slurm cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Cluster ends with the process that starts it.
    ThisProcess,
    /// Cluster runs until `cargo xtask infra down`.
    UntilInfraDown,
}

impl Loopback {
    /// Starts the cluster, or reuses a persistent one that is for the same SkyPilot. Downloads
    /// packages and builds the node image if missing.
    pub fn start(
        workspace: &Workspace,
        sky: &SkyPilot,
        LoopbackOptions { lifetime, priority }: LoopbackOptions,
        signals: &Signals,
        progress: Progress,
    ) -> Result<Self> {
        clean_up_after_dead_runs(workspace, progress)?;
        if let Some(obstacle) = obstacle().or_else(|| obstacle_of(sky)) {
            bail!("{obstacle}");
        }
        let existing = Record::read(workspace)?;
        if let Some(record) = &existing {
            // Checked first: building an image for another SkyPilot would be in vain.
            record.ensure_usable_by(&sky.program)?;
        }
        let base_dir = BaseDir::of(workspace)?;
        if let Some(note) = &base_dir.note {
            progress.note(note);
        }
        let packages = Packages::prepare(&base_dir, &workspace.state, progress)?;
        signals.check()?;
        let image = Image::prepare(&base_dir, workspace, sky, progress)?;
        signals.check()?;
        if let Some(record) = existing {
            if record.priority != priority {
                progress.note(record.priority.mismatch_note());
            }
            return Self::reuse(workspace, record, &packages, &image, progress);
        }

        let id = RunId::generate().to_string();
        let record = Record {
            version: Version,
            owner: match lifetime {
                Lifetime::ThisProcess => ProcessIdentity::current(),
                Lifetime::UntilInfraDown => None,
            },
            supervisor: None,
            folder: base_dir.nodes(&id),
            account: Account::choose(|uid| {
                leaked_files::has_any(uid, &leaked_files::SHARED_FOLDERS)
            })?,
            ports: Ports::find_free()?,
            sky: sky.program.clone(),
            sky_version: sky.version.clone(),
            wheel_hash: image.hash.clone(),
            image: image.folder.clone(),
            priority,
            id,
        };
        let step = progress.step("Starting Slurm on loopback");
        record.write(workspace)?;
        // From here on, Drop tears down in case of an error.
        let mut loopback = Self::of(workspace, record, &packages, &image)?;
        start::provision(&loopback.record, &packages, &image, &loopback.node)?;
        let mut supervisor = start::start(workspace, &loopback.record, &packages, &loopback.node)?;
        loopback.record.supervisor = start::identity(&supervisor);
        // Written again, so that the next run finds the supervisor if this one is killed.
        loopback.record.write(workspace)?;
        let ready =
            start::wait_until_ready(&loopback.record, &loopback.node, &mut supervisor, signals);
        ready.context("starting Slurm")?;
        step.done(format!("{LOOPBACK}, ssh on port {}", loopback.record.ports.ssh));
        Ok(loopback)
    }

    fn reuse(
        workspace: &Workspace,
        record: Record,
        packages: &Packages,
        image: &Image,
        progress: Progress,
    ) -> Result<Self> {
        // A SkyPilot that skyload did not install may have changed since the cluster's start.
        ensure!(record.wheel_hash == image.hash, record.wrong_sky());
        progress.note(format!("Using the running loopback Slurm cluster ({})", record.id));
        let mut loopback = Self::of(workspace, record, packages, image)?;
        loopback.is_reused = true;
        loopback.before = loopback.record.figures()?;
        Ok(loopback)
    }

    fn of(
        workspace: &Workspace,
        record: Record,
        packages: &Packages,
        image: &Image,
    ) -> Result<Self> {
        let layout = record.layout();
        let node = Node::new(&record.id, record.account, packages, &layout);
        let setup = setup::server_setup(&layout, packages, &record.ports, image, record.priority)?;
        let workspace = Workspace { root: workspace.root.clone(), state: workspace.state.clone() };
        let (is_reused, before, ended) = (false, NodeFigures::default(), false);
        Ok(Self { workspace, record, node, setup, is_reused, before, ended })
    }

    /// Settings of an API server that launches on the cluster.
    pub fn server_setup(&self) -> &ServerSetup {
        &self.setup
    }

    /// CPU and memory of the nodes since this process started or began to reuse the cluster, at
    /// most a second old. Peak memory is since the nodes were started.
    fn figures(&self) -> Result<NodeFigures> {
        Ok(self.record.figures()?.since(&self.before))
    }

    /// Whether the cluster ran before this process, so that it continues to run afterwards.
    pub const fn is_reused(&self) -> bool {
        self.is_reused
    }

    /// Cancels the jobs in Slurm's queue whose names contain `tag`, pending and running, and returns
    /// their names: each job is a SkyPilot cluster.
    pub(crate) fn cancel_left(&self, tag: &str) -> Result<Vec<String>> {
        let jobs = match queue::jobs(&self.node) {
            Ok(jobs) => jobs,
            // Reported like a job, since jobs may be left.
            Err(error) => return Ok(vec![format!("{tag}: listing the queue failed: {error:#}")]),
        };
        let names = jobs.into_iter().map(|job| job.name);
        let left: Vec<String> = names.filter(|name| name.contains(tag)).collect();
        if !left.is_empty() {
            queue::cancel(&self.node, tag).context("cancelling the run's jobs in Slurm's queue")?;
        }
        Ok(left)
    }

    /// Tears the cluster down, unless it was reused. Returns CPU and memory of the nodes.
    pub fn finish(mut self) -> Result<NodeFigures> {
        // Before the teardown: if that fails, Drop must not repeat it.
        self.ended = true;
        // The teardown below ends the supervisor, so this must be known before.
        let killed = (!self.record.is_up()).then(|| "the nodes' supervisor was killed".to_owned());
        if self.is_reused {
            let figures = self.figures()?;
            return Ok(NodeFigures { failure: figures.failure.or(killed), ..figures });
        }
        let (figures, _) = self.record.tear_down(&self.workspace)?;
        ensure!(
            !self.record.folder.exists() && fs::metadata(Record::file(&self.workspace)).is_err(),
            "`{}` still exists after teardown",
            self.record.folder.display()
        );
        let figures = figures.since(&self.before);
        Ok(NodeFigures { failure: figures.failure.or(killed), ..figures })
    }

    /// Leaves the cluster running, until `cargo xtask infra down`.
    pub fn keep(mut self) -> Record {
        self.ended = true;
        self.record.clone()
    }
}

/// Names and states of the jobs in the queue of a running loopback Slurm cluster.
pub fn jobs(record: &Record, workspace: &Workspace, progress: Progress) -> Result<Vec<String>> {
    let base_dir = BaseDir::of(workspace)?;
    let packages = Packages::prepare(&base_dir, &workspace.state, progress)?;
    let node = Node::new(&record.id, record.account, &packages, &record.layout());
    queue::names_and_states(&node)
}

impl Drop for Loopback {
    fn drop(&mut self) {
        if !self.ended && !self.is_reused {
            // After an error the record stays, and the next run tears down.
            _ = self.record.tear_down(&self.workspace);
        }
    }
}
