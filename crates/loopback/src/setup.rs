//! What an API server needs to use the infrastructure.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use host::tools::on_path;
use xshell::Shell;

use super::configs;
use super::image::Image;
use super::layout::Layout;
use super::packages::Packages;
use super::ports::Ports;
use super::priority::NodePriority;

/// What an API server needs to use the infrastructure.
#[derive(Clone, Debug)]
pub struct ServerSetup {
    /// Where SkyPilot launches to.
    pub infra: String,
    /// The text of `~/.sky/config.yaml`.
    pub config: String,
    /// Other files below the server's home.
    pub home_files: Vec<HomeFile>,
    /// To be copied to `~/.sky/wheels`, so that the server finds the nodes' wheel
    /// built. As copies, with the time of copying: SkyPilot builds a new one where
    /// its own files are younger.
    pub wheels: PathBuf,
    /// One sentence for each thing that is not as in an ordinary SkyPilot.
    pub changes: Vec<String>,
    /// For the server's PATH, before anything else, where programs are missing.
    pub programs: Option<PathBuf>,
    site: PathBuf,
}

/// A file below a home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeFile {
    /// From the home on.
    pub path: PathBuf,
    /// What stands in it.
    pub content: String,
    /// Who may read it.
    pub mode: u32,
}

/// What the API server starts to reach nodes.
pub(super) const SERVER_PROGRAMS: [&str; 4] = ["ssh", "scp", "ssh-keygen", "rsync"];

/// What is not as in an ordinary SkyPilot.
const CHANGES: [&str; 8] = [
    "Nodes find SkyPilot's runtime prepared instead of installing it from the internet.",
    "On nodes, each cluster's skylet gets a port of its own, on loopback instead of all interfaces.",
    "On nodes, `sky logs` waits ten minutes instead of five seconds for a job to begin to write.",
    "On nodes, a job's driver may take ten minutes instead of one to start before the job is called \
     failed.",
    "In the API server, nobody checks for a network by asking public addresses.",
    "In the API server, Slurm counts as a cloud that can open ports, which needs nothing on loopback.",
    "In the API server, there is one consolidated jobs controller instead of as many as fit into \
     memory.",
    "In the API server, load balancers of services listen on loopback instead of all interfaces.",
];

impl ServerSetup {
    pub(super) fn new(
        layout: &Layout,
        packages: &Packages,
        ports: &Ports,
        image: &Image,
        priority: NodePriority,
    ) -> Result<Self> {
        Ok(Self {
            infra: format!("slurm/{}", configs::CLUSTER),
            config: configs::sky_config(layout),
            home_files: vec![HomeFile {
                path: ".slurm/config".into(),
                content: configs::slurm_hosts(layout, ports),
                mode: 0o600,
            }],
            wheels: image.wheels(),
            changes: [priority.change()].into_iter().chain(CHANGES).map(str::to_owned).collect(),
            programs: (!missing(packages)?.is_empty()).then(|| layout.server_programs()),
            site: layout.server_site(),
        })
    }

    /// For the environment of the API server. Its PATH must have
    /// `programs` first; its users' need nothing.
    pub fn variables(&self) -> Vec<(String, String)> {
        vec![("PYTHONPATH".to_owned(), self.site.display().to_string())]
    }

    /// `path` with the programs in it that the server needs.
    pub fn path(&self, path: &str) -> String {
        match &self.programs {
            Some(programs) => format!("{}:{path}", programs.display()),
            None => path.to_owned(),
        }
    }
}

/// The programs that the API server needs and does not find.
pub(super) fn missing(packages: &Packages) -> Result<Vec<&'static str>> {
    let shell = Shell::new().context("reading the current directory")?;
    let is_missing = |name: &&str| packages.is_unpacked() && on_path(&shell, name).is_none();
    Ok(SERVER_PROGRAMS.into_iter().filter(is_missing).collect())
}
