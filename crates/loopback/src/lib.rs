//! A real SkyPilot infrastructure on loopback: Slurm, from the distribution's
//! packages, with one node that is login node and compute node at once.
//!
//! [`Loopback::up`] is the story. What it needs, from the ground up:
//!
//! * [`place`]: folders that node processes can reach.
//! * [`packages`]: the programs, installed or unpacked.
//! * [`image`]: what SkyPilot would install on each new node.
//! * [`account`], [`ports`], [`layout`] and [`configs`]: who, where, and all texts.
//! * [`record`]: what is to be cleared away, noted before it exists.
//! * [`raise`] furnishes the folder and starts the [`supervisor`], a process of its
//!   own that is the parent of all daemons and counts what they use.
//! * [`node`]: commands as the nodes' user, [`queue`] among them; [`processes`] and
//!   [`strays`]: what was left.
//! * [`setup`]: what an API server needs to use it; [`site`]: what changes SkyPilot.
//!
//! Nothing is installed, no user is added, no system file is touched.

mod account;
#[cfg(test)]
#[path = "../../../tests/support/changes.rs"]
mod changes;
mod configs;
mod image;
mod layout;
mod node;
mod packages;
mod place;
mod ports;
mod priority;
mod processes;
mod queue;
mod raise;
mod record;
mod setup;
mod site;
#[cfg(test)]
mod site_tests;
mod skypilot;
mod strays;
mod supervisor;
#[cfg(test)]
#[path = "../../../tests/support/scripts.rs"]
#[expect(dead_code, reason = "nodes call no tools by a shell of theirs")]
mod testing;

use std::fs;

use anyhow::{Context as _, Result, bail, ensure};
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::record::Version;
use skyload::record::nodes::NodeFigures;

pub use priority::NodePriority;
pub use record::Record;
pub use setup::{HomeFile, ServerSetup};
pub use skypilot::SkyPilot;
pub use supervisor::{COMMAND as SUPERVISOR_COMMAND, run as supervise};

use account::Account;
use image::Image;
use node::Node;
use packages::Packages;
use place::Place;
use ports::Ports;

/// Why this machine can't have an infrastructure, in one line.
pub fn obstacle() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return Some("only Linux can have Slurm".to_owned());
    }
    packages::obstacle()
}

/// Why this SkyPilot can't have one, in one line, as far as that is seen without
/// starting it.
pub fn obstacle_of(sky: &SkyPilot) -> Option<String> {
    image::obstacle(sky)
}

/// Clears away an infrastructure whose run was killed. Leaves a kept one alone.
pub fn clean_up_after_dead_runs(workspace: &Workspace, progress: Progress) -> Result<()> {
    let Some(record) = Record::read(workspace)? else { return Ok(()) };
    if record.is_kept() || record.is_in_use() {
        return Ok(());
    }
    let step = progress.step("Clearing away the infrastructure of a run that was killed");
    let (_, ended) = record.clear(workspace)?;
    step.done(format!("{ended} processes ended"));
    Ok(())
}

/// An infrastructure that is up.
pub struct Loopback {
    workspace: Workspace,
    record: Record,
    node: Node,
    setup: ServerSetup,
    /// It was up before, and stays.
    is_taken: bool,
    /// What was known of it by then.
    before: NodeFigures,
    ended: bool,
}

/// How an infrastructure is to run.
#[derive(Clone, Copy)]
pub struct Terms {
    /// For how long it stays.
    pub stay: Stay,
    /// Priority of what runs on its nodes.
    pub priority: NodePriority,
}

/// For how long an infrastructure stays.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// As long as the process that brings it up.
    WithThisProcess,
    /// Until a command takes it down.
    UntilTakenDown,
}

impl Loopback {
    /// Brings it up, or takes the kept one if it is for the same SkyPilot. Fetches
    /// packages and builds the node image where they are missing.
    pub fn up(
        workspace: &Workspace,
        sky: &SkyPilot,
        Terms { stay, priority }: Terms,
        signals: &Signals,
        progress: Progress,
    ) -> Result<Self> {
        clean_up_after_dead_runs(workspace, progress)?;
        if let Some(obstacle) = obstacle().or_else(|| obstacle_of(sky)) {
            bail!("{obstacle}");
        }
        let existing = Record::read(workspace)?;
        if let Some(record) = &existing {
            // Before anything is built for a SkyPilot that can't be started yet.
            record.ensure_free_for(&sky.program)?;
        }
        let place = Place::of(workspace)?;
        if let Some(note) = &place.note {
            progress.note(note);
        }
        let packages = Packages::prepare(&place, &workspace.state, progress)?;
        signals.check()?;
        let image = Image::prepare(&place, workspace, sky, progress)?;
        signals.check()?;
        if let Some(record) = existing {
            if record.priority != priority {
                progress.note(record.priority.kept());
            }
            return Self::take_kept(workspace, record, &packages, &image, progress);
        }

        let id = RunId::generate().to_string();
        let record = Record {
            version: Version,
            owner: match stay {
                Stay::WithThisProcess => ProcessIdentity::current(),
                Stay::UntilTakenDown => None,
            },
            supervisor: None,
            folder: place.nodes(&id),
            account: Account::choose(|uid| strays::has_any(uid, &strays::SHARED_FOLDERS))?,
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
        // From here on, Drop clears away.
        let mut loopback = Self::of(workspace, record, &packages, &image)?;
        raise::furnish(&loopback.record, &packages, &image, &loopback.node)?;
        let mut supervisor = raise::start(workspace, &loopback.record, &packages, &loopback.node)?;
        loopback.record.supervisor = raise::identity(&supervisor);
        loopback.record.write(workspace)?;
        let ready =
            raise::wait_until_ready(&loopback.record, &loopback.node, &mut supervisor, signals);
        ready.context("starting Slurm")?;
        step.done(format!("{}, ssh on port {}", loopback.setup.infra, loopback.record.ports.ssh));
        Ok(loopback)
    }

    fn take_kept(
        workspace: &Workspace,
        record: Record,
        packages: &Packages,
        image: &Image,
        progress: Progress,
    ) -> Result<Self> {
        // Its files may have changed meanwhile, where it is not one of ours.
        ensure!(record.wheel_hash == image.hash, record.of_another_sky());
        progress.note(format!("Taking the infrastructure that is up ({})", record.id));
        let mut loopback = Self::of(workspace, record, packages, image)?;
        loopback.is_taken = true;
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
        let setup = ServerSetup::new(&layout, packages, &record.ports, image, record.priority)?;
        let workspace = Workspace { root: workspace.root.clone(), state: workspace.state.clone() };
        let (is_taken, before, ended) = (false, NodeFigures::default(), false);
        Ok(Self { workspace, record, node, setup, is_taken, before, ended })
    }

    /// What an API server needs to use it.
    pub fn server_setup(&self) -> &ServerSetup {
        &self.setup
    }

    /// What the nodes have cost since this was brought up or taken; at most a second
    /// old. The peak of memory is that since the nodes were started.
    fn figures(&self) -> Result<NodeFigures> {
        Ok(self.since_taken(self.record.figures()?))
    }

    /// Whether it was up before, and so stays when this process is gone.
    pub const fn was_up(&self) -> bool {
        self.is_taken
    }

    fn since_taken(&self, mut figures: NodeFigures) -> NodeFigures {
        figures.cpu = figures.cpu.saturating_sub(self.before.cpu);
        figures.exposed.retain(|socket| !self.before.exposed.contains(socket));
        figures
    }

    /// The names of jobs that are in Slurm's queue, running ones included: each is a
    /// SkyPilot cluster.
    pub fn slurm_jobs(&self) -> Result<Vec<String>> {
        Ok(queue::jobs(&self.node)?.into_iter().map(|job| job.name).collect())
    }

    /// Cancels the jobs whose names contain `text`, and no others.
    pub fn cancel_jobs(&self, text: &str) -> Result<()> {
        queue::cancel(&self.node, text)
    }

    /// Takes it down, unless it is one that stays. Returns what the nodes cost.
    pub fn finish(mut self) -> Result<NodeFigures> {
        self.ended = true;
        let killed = (!self.record.is_up()).then(|| "its supervisor was killed".to_owned());
        if self.is_taken {
            let figures = self.figures()?;
            return Ok(NodeFigures { failure: figures.failure.or(killed), ..figures });
        }
        let (figures, _) = self.record.clear(&self.workspace)?;
        ensure!(
            !self.record.folder.exists() && fs::metadata(Record::file(&self.workspace)).is_err(),
            "`{}` could not be removed",
            self.record.folder.display()
        );
        let figures = self.since_taken(figures);
        Ok(NodeFigures { failure: figures.failure.or(killed), ..figures })
    }

    /// Leaves it up: `infra down` ends it.
    pub fn keep(mut self) -> Record {
        self.ended = true;
        self.record.clone()
    }
}

/// The jobs in the queue of an infrastructure that is up, with their states.
pub fn jobs(record: &Record, workspace: &Workspace, progress: Progress) -> Result<Vec<String>> {
    let place = Place::of(workspace)?;
    let packages = Packages::prepare(&place, &workspace.state, progress)?;
    let node = Node::new(&record.id, record.account, &packages, &record.layout());
    queue::described(&node)
}

impl Drop for Loopback {
    fn drop(&mut self) {
        // One that is to stay after it was brought up is told so by `keep`.
        if !self.ended && !self.is_taken {
            _ = self.record.clear(&self.workspace);
        }
    }
}
