//! Daemons that the supervisor starts.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use skyload::listeners::{listening_sockets, sockets_of};

use super::descendants;
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
    /// The daemon, or a descendant of the daemon, listens at the address.
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
    /// Whether the daemon with this pid is ready.
    pub(super) fn is_met(&self, daemon: u32) -> Result<bool> {
        Ok(match self {
            Self::Started => true,
            Self::Exists(file) => file.exists(),
            Self::Listens(address) => listens(daemon, *address)?,
        })
    }
}

/// Whether a process or one of its descendants listens at `address`. Other processes may listen
/// there: a free port is not reserved before the daemon starts.
fn listens(pid: u32, address: SocketAddr) -> Result<bool> {
    let table = match address.is_ipv4() {
        true => "/proc/net/tcp",
        false => "/proc/net/tcp6",
    };
    let table = fs::read(table).unwrap_or_default();
    let listening = listening_sockets(&String::from_utf8_lossy(&table));
    let socket = listening.into_iter().find(|socket| socket.address == address);
    // Mostly none while a daemon starts, which saves reading all processes.
    let Some(socket) = socket else { return Ok(false) };
    let pids = descendants::with_descendants([pid].into_iter(), &descendants::descendants()?);
    Ok(pids.into_iter().any(|pid| sockets_of(pid).contains(&socket.inode)))
}
