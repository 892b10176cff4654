//! The kinds of process that make up a SkyPilot API server.
//!
//! Memory is judged by kind and not by pid: executors come and go, and what an
//! operator provisions is "so much for each long executor".

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of a process in the tree of the server under test.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessClass {
    /// The server's main process; in local mode also its only web worker.
    Server,
    /// A web worker of a deployed server, which runs one per CPU.
    ServerWorker,
    /// The process that holds the request queues.
    Queue,
    /// Runs requests that answer soon ("non-blocking" in the original tool).
    ShortExecutor,
    /// Runs requests that take long ("blocking" in the original tool).
    LongExecutor,
    /// A worker that still imports SkyPilot and has not taken its title yet.
    StartingExecutor,
    /// Runs managed jobs inside the server (consolidation mode).
    JobsController,
    /// Runs a service inside the server (consolidation mode).
    ServeController,
    /// Follows a managed job's log for one client (consolidation mode).
    LogFollower,
    /// A command that an executor or a controller started.
    Subprocess,
    /// Anything else in the tree.
    Other,
}

impl ProcessClass {
    /// All classes, in the order in which they are reported.
    pub const ALL: [Self; 11] = [
        Self::Server,
        Self::ServerWorker,
        Self::Queue,
        Self::ShortExecutor,
        Self::LongExecutor,
        Self::StartingExecutor,
        Self::JobsController,
        Self::ServeController,
        Self::LogFollower,
        Self::Subprocess,
        Self::Other,
    ];

    /// The name used in files, flags and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::ServerWorker => "server-worker",
            Self::Queue => "queue",
            Self::ShortExecutor => "short-executor",
            Self::LongExecutor => "long-executor",
            Self::StartingExecutor => "starting-executor",
            Self::JobsController => "jobs-controller",
            Self::ServeController => "serve-controller",
            Self::LogFollower => "log-follower",
            Self::Subprocess => "subprocess",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ProcessClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ProcessClass {
    type Err = UnknownClass;

    fn from_str(name: &str) -> Result<Self, UnknownClass> {
        Self::ALL
            .into_iter()
            .find(|class| class.name() == name)
            .ok_or_else(|| UnknownClass(name.to_owned()))
    }
}

/// A word that names no process class.
#[derive(Debug, thiserror::Error)]
#[error("no process class is called `{0}`")]
pub struct UnknownClass(String);
