//! Emulated AWS: AWS's API on loopback, answered by moto, for SkyPilot's own AWS code, with nodes in
//! namespaces of this machine.
//!
//! [`Emulation::start`] starts it. Its parts:
//!
//! * [`moto`]: server of the API, in a Python environment of its own.
//! * [`account`]: parts of an AWS account that moto's account lacks.
//! * [`nodes`]: one node for each EC2 instance.
//! * [`setup`]: settings of an API server that launches on emulated AWS.

mod account;
mod moto;
pub(crate) mod nodes;
mod setup;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use skyload::infrastructure::LocalInfra;

use crate::account::Account;
use crate::base_dir::BaseDir;
use crate::catalog::Catalog;
use crate::client::{ClientFiles, make_folder};
use crate::image::{Image, ImageKind};
use crate::ports::{InfraPorts, find_free_for_an_api};
use crate::record::Record;
use crate::running::Running;
use crate::setup::ServerSetup;
use crate::start::Start;
use account::REGIONS;
use moto::Moto;
use nodes::{NodePackages, NodesSettings};
use setup::ServerNodes;

/// Running emulated AWS.
pub(crate) struct Emulation {
    pub(crate) running: Running,
    api: SocketAddr,
}

/// Installed and built files that emulated AWS is made of.
struct Parts {
    moto: Moto,
    catalog: Catalog,
    packages: NodePackages,
    /// Image of nodes; `None` where the machine cannot have nodes. The control plane runs without.
    image: Option<Image>,
}

impl Emulation {
    /// Starts emulated AWS, or reuses a persistent one that is for the same SkyPilot. Installs
    /// moto, downloads packages and catalogs, and builds the node image if missing.
    pub(crate) fn start(start: Start<'_>) -> Result<Self> {
        let Start { workspace, sky, options, signals, progress } = start;
        // Checked first: building an image for another SkyPilot would be in vain.
        let existing = start.existing(LocalInfra::EmulatedAws)?;
        let base_dir = BaseDir::of(workspace)?;
        let state = &workspace.state;
        let moto = Moto::prepare(state, progress)?;
        signals.check()?;
        let catalog = Catalog::prepare(sky, state, options.catalog.as_deref(), progress)?;
        signals.check()?;
        let has_nodes = nodes::obstacle(workspace).or_else(|| nodes::obstacle_of(sky)).is_none();
        let packages = match has_nodes {
            true => NodePackages::prepare(&base_dir, state, progress)?,
            false => NodePackages::for_server(&base_dir, state, progress)?,
        };
        signals.check()?;
        let build = || Image::prepare(ImageKind::Aws, &base_dir, workspace, sky, progress);
        let image = has_nodes.then(build).transpose()?;
        signals.check()?;
        let parts = Parts { moto, catalog, packages, image };
        if let Some(record) = existing {
            if record.priority != options.priority {
                progress.note(record.priority.mismatch_note());
            }
            let api = api_of(&record)?;
            let setup = parts.server_setup(&record, api)?;
            let hash = parts.image.as_ref().map(|image| image.hash.as_str());
            let running = Running::reused(workspace, record, setup, hash, progress)?;
            return Ok(Self { running, api });
        }
        Self::start_new(start, &base_dir, &parts)
    }

    fn start_new(start: Start<'_>, base_dir: &BaseDir, parts: &Parts) -> Result<Self> {
        let Start { workspace, signals, progress, .. } = start;
        let port = find_free_for_an_api()?;
        let api = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ports = InfraPorts::EmulatedAws { aws_api: port };
        // Nodes have users of their own, in namespaces; daemons run as this user.
        let record = start.new_record(base_dir, ports, Account::own(), parts.image.as_ref());
        let step = progress.step("Starting emulated AWS on loopback");
        let nodes = parts.image.as_ref().map(|image| parts.nodes(image, &record, api));
        let setup = parts.server_setup(&record, api)?;
        // From here on, Drop tears down in case of an error.
        let mut running = Running::started(workspace, record, setup);
        running.record.write(workspace)?;
        parts.provision(&running.record)?;
        let home = running.record.folder.join("moto");
        let mut daemons = vec![parts.moto.daemon(api, &home, running.record.log("moto"))?];
        if let Some(nodes) = &nodes {
            daemons.push(nodes::daemon(nodes, running.record.log("node-keeper"))?);
        }
        let launched = running.launch(variables(), daemons)?;
        launched.wait_until_ready(signals, || running.record.daemons_state())?;
        account::fill(&parts.moto, api, &step)?;
        step.done(format!("{}, AWS's API on port {port}", LocalInfra::EmulatedAws.infra()));
        Ok(Self { running, api })
    }

    /// Terminates the instances whose names contain `tag`, and returns their names: each
    /// instance is a node of a SkyPilot cluster.
    pub(crate) fn terminate_left(&self, tag: &str) -> Vec<String> {
        // An error is reported like an instance, since instances may be left.
        nodes::terminate_named(self.api, &regions(), tag)
            .unwrap_or_else(|error| vec![format!("{tag}: listing instances failed: {error:#}")])
    }
}

/// Names and states of the instances of a running emulated AWS.
pub(crate) fn instances(record: &Record) -> Result<Vec<String>> {
    nodes::instances(api_of(record)?, &regions())
}

/// Copy of the running program in the folder of an emulation.
fn program_in(folder: &Path) -> PathBuf {
    folder.join("skyload")
}

/// Links or copies this program's file to `path`.
fn keep_program(path: &Path) -> Result<()> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    // A link fails across file systems, and for a file that was replaced.
    fs::hard_link(&own, path)
        .or_else(|_| fs::copy("/proc/self/exe", path).map(drop))
        .with_context(|| format!("copying this program to `{}`", path.display()))
}

fn regions() -> Vec<String> {
    REGIONS.map(str::to_owned).to_vec()
}

/// Address of AWS's API of the emulation of `record`.
fn api_of(record: &Record) -> Result<SocketAddr> {
    match record.ports {
        InfraPorts::EmulatedAws { aws_api } => Ok((Ipv4Addr::LOCALHOST, aws_api).into()),
        _ => bail!("expected the record of emulated AWS, got that of {}", record.name()),
    }
}

/// Environment of the daemons, complete but for variables of their own.
fn variables() -> Vec<(String, String)> {
    const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    [("PATH", PATH), ("LANG", "C.UTF-8")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

impl Parts {
    fn nodes(&self, image: &Image, record: &Record, api: SocketAddr) -> NodesSettings {
        NodesSettings {
            folder: record.folder.join("nodes"),
            program: program_in(&record.folder),
            home: image.home(),
            packages: self.packages.folder.clone(),
            api,
            regions: regions(),
            priority: record.priority,
        }
    }

    fn server_setup(&self, record: &Record, api: SocketAddr) -> Result<ServerSetup> {
        let client = ClientFiles::of(&record.folder);
        let nodes = match &self.image {
            Some(image) => Some(ServerNodes {
                proxy_command: nodes::proxy_command(&self.nodes(image, record, api))?,
                wheels: image.wheels(),
                priority: record.priority,
            }),
            None => None,
        };
        let mut setup = setup::server_setup(api, &self.catalog, client.site(), nodes);
        if !self.packages.missing_programs()?.is_empty() {
            setup.programs.push(client.programs());
        }
        Ok(setup)
    }

    /// Creates the folder of the emulation, with the API server's files.
    fn provision(&self, record: &Record) -> Result<()> {
        let folder = &record.folder;
        let creating = || format!("creating `{}`", folder.display());
        make_folder(folder, 0o711).with_context(creating)?;
        fs::create_dir(folder.join("log")).with_context(creating)?;
        // A newer build may replace this program's file during the run.
        keep_program(&program_in(folder))?;
        let client = ClientFiles::of(folder);
        client.create()?;
        self.packages.add_programs(&client)
    }
}
