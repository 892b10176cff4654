//! The folder of one infrastructure: who finds what where in it.
//!
//! Everything in it is made anew each time and goes with the infrastructure. What is
//! in it belongs to the nodes' user, but for what the API server logs in and runs with.

use std::path::{Path, PathBuf};

/// One infrastructure's folder.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    folder: PathBuf,
}

/// Folders that must be there before anything starts.
pub(super) const FOLDERS: [&str; 9] =
    ["munge", "slurmctld", "slurmd", "log", "ssh", "tmp", "pid", "home", "home/.ssh"];

impl Layout {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file or folder `name` in it.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The home of the user that SkyPilot logs in as.
    pub(super) fn home(&self) -> PathBuf {
        self.at("home")
    }

    pub(super) fn log(&self, daemon: &str) -> PathBuf {
        self.at("log").join(format!("{daemon}.log"))
    }

    pub(super) fn slurm_conf(&self) -> PathBuf {
        self.at("slurm.conf")
    }

    pub(super) fn sshd_config(&self) -> PathBuf {
        self.at("sshd_config")
    }

    pub(super) fn munge_key(&self) -> PathBuf {
        self.at("munge/key")
    }

    pub(super) fn munge_socket(&self) -> PathBuf {
        self.at("munge/socket")
    }

    pub(super) fn host_key(&self) -> PathBuf {
        self.at("ssh/host_key")
    }

    /// With this the API server logs in.
    pub(super) fn client_key(&self) -> PathBuf {
        self.at("client/key")
    }

    /// Programs for the API server's PATH.
    pub(super) fn server_programs(&self) -> PathBuf {
        self.at("client/bin")
    }

    /// For the API server's PYTHONPATH.
    pub(super) fn server_site(&self) -> PathBuf {
        self.at("client/site")
    }

    pub(super) fn task_prolog(&self) -> PathBuf {
        self.at("task-prolog.sh")
    }

    pub(super) fn skylet_ports(&self) -> PathBuf {
        self.at("skylet-ports")
    }

    /// A `NodeFigures`, written by the supervisor.
    pub(super) fn figures(&self) -> PathBuf {
        self.at("figures.json")
    }

    /// Who lives, written by the supervisor.
    pub(super) fn members(&self) -> PathBuf {
        self.at("members.json")
    }
}
