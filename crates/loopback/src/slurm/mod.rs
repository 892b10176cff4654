//! Loopback Slurm cluster: a real Slurm from the distribution's packages, with one node that is
//! both login node and compute node, on 127.0.0.1.
//!
//! [`Cluster::start`] starts the cluster. Its parts, from the bottom up:
//!
//! * [`packages`]: programs, installed or unpacked.
//! * [`ports`], [`layout`] and [`configs`]: ports, paths and configuration files.
//! * [`start`]: provisioning of the folder, and the daemons.
//! * [`node`] and [`queue`]: Slurm commands as the nodes' user.
//! * [`setup`]: settings of an API server that launches on the cluster.

mod addresses;
mod configs;
mod layout;
mod node;
mod packages;
mod ports;
mod queue;
mod setup;
mod start;

use anyhow::{Context as _, Result, bail};
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::infrastructure::{LOOPBACK, LocalInfra};

pub(crate) use ports::SlurmPorts;

use crate::account::Account;
use crate::base_dir::BaseDir;
use crate::image::{self, Image, ImageKind};
use crate::leaked_files;
use crate::ports::InfraPorts;
use crate::record::Record;
use crate::running::Running;
use crate::skypilot::SkyPilot;
use crate::start::Start;
use layout::Layout;
use node::Node;
use packages::Packages;

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
    image::obstacle(ImageKind::Slurm, sky)
}

/// Running loopback Slurm cluster.
pub(crate) struct Cluster {
    pub(crate) running: Running,
    node: Node,
}

impl Cluster {
    /// Starts the cluster, or reuses a persistent one that is for the same SkyPilot. Downloads
    /// packages and builds the node image if missing.
    pub(crate) fn start(start: Start<'_>) -> Result<Self> {
        let Start { workspace, sky, options, signals, progress } = start;
        if let Some(obstacle) = obstacle().or_else(|| obstacle_of(sky)) {
            bail!("{obstacle}");
        }
        // Checked first: building an image for another SkyPilot would be in vain.
        let existing = start.existing(LocalInfra::Loopback)?;
        let base_dir = BaseDir::of(workspace)?;
        if let Some(note) = &base_dir.note {
            progress.note(note);
        }
        let packages = Packages::prepare(&base_dir, &workspace.state, progress)?;
        signals.check()?;
        let image = Image::prepare(ImageKind::Slurm, &base_dir, workspace, sky, progress)?;
        signals.check()?;
        if let Some(record) = existing {
            if record.priority != options.priority {
                progress.note(record.priority.mismatch_note());
            }
            let (node, setup) = parts(&record, &packages, &image)?;
            let running = Running::reused(workspace, record, setup, Some(&image.hash), progress)?;
            return Ok(Self { running, node });
        }

        let ports = SlurmPorts::find_free()?;
        let account =
            Account::choose(|uid| leaked_files::has_any(uid, &leaked_files::SHARED_FOLDERS))?;
        let record = start.new_record(&base_dir, InfraPorts::Slurm(ports), account, Some(&image));
        let step = progress.step("Starting Slurm on loopback");
        let (node, setup) = parts(&record, &packages, &image)?;
        // From here on, Drop tears down in case of an error.
        let mut running = Running::started(workspace, record, setup);
        running.record.write(workspace)?;
        start::provision(&running.record, &ports, &packages, &image, &node)?;
        let daemons = start::daemons(&running.record, &packages)?;
        let variables = node.variables.clone();
        let launched = running.launch(variables, daemons)?;
        let ready = launched.wait_until_ready(signals, || start::state(&ports, &node));
        ready.context("starting Slurm")?;
        step.done(format!("{LOOPBACK}, ssh on port {}", ports.ssh));
        Ok(Self { running, node })
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
}

/// Node of the cluster of `record`, and settings of an API server that launches on it.
fn parts(
    record: &Record,
    packages: &Packages,
    image: &Image,
) -> Result<(Node, crate::setup::ServerSetup)> {
    let layout = Layout::of(record);
    let InfraPorts::Slurm(ports) = record.ports else {
        bail!("expected the record of a loopback Slurm cluster, got that of {}", record.name());
    };
    let node = Node::new(&record.id, record.account, packages, &layout);
    let setup = setup::server_setup(&layout, packages, &ports, image, record.priority)?;
    Ok((node, setup))
}

/// Names and states of the jobs in the queue of a running loopback Slurm cluster.
pub(crate) fn jobs(
    record: &Record,
    workspace: &Workspace,
    progress: Progress,
) -> Result<Vec<String>> {
    let base_dir = BaseDir::of(workspace)?;
    let packages = Packages::prepare(&base_dir, &workspace.state, progress)?;
    let node = Node::new(&record.id, record.account, &packages, &Layout::of(record));
    queue::names_and_states(&node)
}
