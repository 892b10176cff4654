//! Paths in the folder of a loopback Slurm cluster.
//!
//! The folder is created at each start and removed at teardown. Its files belong to the nodes'
//! user, except for the API server's key, programs and patches in `client`.

use std::path::{Path, PathBuf};

use crate::client::ClientFiles;
use crate::record::Record;

/// Folder of a loopback Slurm cluster.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    folder: PathBuf,
}

/// Subfolders that must exist before the daemons start.
pub(super) const FOLDERS: [&str; 9] =
    ["munge", "slurmctld", "slurmd", "log", "ssh", "tmp", "pid", "home", "home/.ssh"];

impl Layout {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn of(record: &Record) -> Self {
        Self::new(record.folder.clone())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Path of the file or folder `name`.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Home of the user that SkyPilot logs in as.
    pub(super) fn home(&self) -> PathBuf {
        self.at("home")
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

    /// Files of the API server.
    pub(super) fn client(&self) -> ClientFiles {
        ClientFiles::of(&self.folder)
    }

    /// Private key that the API server logs in with.
    pub(super) fn client_key(&self) -> PathBuf {
        self.client().folder().join("key")
    }

    pub(super) fn task_prolog(&self) -> PathBuf {
        self.at("task-prolog.sh")
    }

    pub(super) fn skylet_ports(&self) -> PathBuf {
        self.at("skylet-ports")
    }
}
