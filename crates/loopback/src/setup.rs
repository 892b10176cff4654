//! Settings of an API server that launches on the loopback Slurm cluster.

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

/// Settings of an API server that launches on the loopback Slurm cluster.
#[derive(Clone, Debug)]
pub struct ServerSetup {
    /// Value of SkyPilot's `--infra`.
    pub infra: String,
    /// Content of `~/.sky/config.yaml`.
    pub config: String,
    /// Further files below the server's home.
    pub home_files: Vec<HomeFile>,
    /// Folder to copy to `~/.sky/wheels`, so that the server finds the nodes' wheel built. The
    /// copies must have the time of copying: SkyPilot builds a new wheel if its own files are
    /// newer than the wheel.
    pub wheels: PathBuf,
    /// Modifications for loopback: one statement for each difference from an unmodified
    /// SkyPilot.
    pub modifications: Vec<String>,
    /// Folder to put first on the server's PATH, if programs are missing there.
    pub programs: Option<PathBuf>,
    /// Folder with the `sitecustomize` that patches the API server.
    site: PathBuf,
}

/// File below a home directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeFile {
    /// Path relative to the home.
    pub path: PathBuf,
    /// Content of the file.
    pub content: String,
    /// Mode bits of the file.
    pub mode: u32,
}

/// Programs that the API server starts to reach nodes.
pub(super) const SERVER_PROGRAMS: [&str; 4] = ["ssh", "scp", "ssh-keygen", "rsync"];

/// Modifications for loopback, next to the one of [`NodePriority`].
const MODIFICATIONS: [&str; 8] = [
    "nodes: SkyPilot's runtime is prebuilt, not installed from the internet",
    "nodes: one skylet port per cluster, on loopback instead of all interfaces",
    "nodes: `sky logs` waits 10 min for a job's first output, instead of 5 s",
    "nodes: a job's driver may take 10 min to start before the job fails, instead of 1 min",
    "API server: no network check against public addresses",
    "API server: Slurm counts as a cloud that can open ports (nothing to open on loopback)",
    "API server: one consolidated jobs controller, instead of as many as fit into memory",
    "API server: load balancers of services listen on loopback instead of all interfaces",
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
            modifications: [priority.modification()]
                .into_iter()
                .chain(MODIFICATIONS)
                .map(str::to_owned)
                .collect(),
            programs: (!missing(packages)?.is_empty()).then(|| layout.server_programs()),
            site: layout.server_site(),
        })
    }

    /// Environment variables of the API server, PATH excepted (see [`Self::path`]). Clients of
    /// the server need none.
    pub fn variables(&self) -> Vec<(String, String)> {
        vec![("PYTHONPATH".to_owned(), self.site.display().to_string())]
    }

    /// Value of PATH for the API server: `path`, with the missing programs first.
    pub fn path(&self, path: &str) -> String {
        match &self.programs {
            Some(programs) => format!("{}:{path}", programs.display()),
            None => path.to_owned(),
        }
    }
}

/// Programs that the API server needs and that are only in the unpacked packages.
pub(super) fn missing(packages: &Packages) -> Result<Vec<&'static str>> {
    let shell = Shell::new().context("reading the current directory")?;
    let is_missing = |name: &&str| packages.is_unpacked() && on_path(&shell, name).is_none();
    Ok(SERVER_PROGRAMS.into_iter().filter(is_missing).collect())
}
