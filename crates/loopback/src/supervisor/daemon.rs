//! Daemons that the supervisor starts.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::priority::NodePriority;

/// Daemon that runs in the foreground.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Daemon {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// Environment variables of the daemon alone, next to those of all daemons.
    pub(crate) variables: Vec<(String, String)>,
    /// CPU priority of the daemon and its children; `None` for the normal one.
    pub(crate) priority: Option<NodePriority>,
    /// File for standard output and error.
    pub(crate) log: PathBuf,
    /// Condition under which the next daemon is started.
    pub(crate) ready: Readiness,
    pub(crate) role: Role,
}

/// Condition under which a daemon is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Readiness {
    /// Process of the daemon was started.
    Started,
    /// File exists, which the daemon creates.
    Exists(PathBuf),
    /// Connections to the address are accepted.
    Listens(SocketAddr),
}

/// Part of the infra that a daemon and its descendants belong to, for separate figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Nodes.
    Nodes,
    /// API of an emulated cloud.
    CloudApi,
}

impl Daemon {
    /// Daemon of the nodes without arguments, of normal priority, that counts as ready when
    /// started.
    pub(crate) fn new(name: &str, program: PathBuf, log: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            program,
            args: Vec::new(),
            variables: Vec::new(),
            priority: None,
            log,
            ready: Readiness::Started,
            role: Role::Nodes,
        }
    }
}

impl Readiness {
    /// Whether the daemon is ready.
    pub(super) fn is_met(&self) -> bool {
        /// Time limit of a connection to this machine, whose backlog may be full.
        const CONNECTS_WITHIN: Duration = Duration::from_millis(500);
        match self {
            Self::Started => true,
            Self::Exists(file) => file.exists(),
            Self::Listens(address) => TcpStream::connect_timeout(address, CONNECTS_WITHIN).is_ok(),
        }
    }
}
