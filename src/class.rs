//! Classes of the processes that make up a SkyPilot API server.
//!
//! Memory budgets apply to a class and not to a pid: executors come and go, and SkyPilot's
//! constants provision memory per executor of a class.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Class of a process in the process tree of the server under test.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessClass {
    /// Main process of the server; in local mode also its only web worker.
    Server,
    /// Web worker of a server in deploy mode, which has one per CPU.
    ServerWorker,
    /// Process that holds the request queues.
    Queue,
    /// Executor of short requests ("non-blocking" in upstream's `tests/load_tests`).
    ShortExecutor,
    /// Executor of long requests ("blocking" in upstream's `tests/load_tests`).
    LongExecutor,
    /// Executor that still imports SkyPilot and has not set its process title yet.
    StartingExecutor,
    /// Controller of managed jobs inside the server (consolidation mode).
    JobsController,
    /// Controller of a service inside the server (consolidation mode).
    ServeController,
    /// Process that follows a managed job's log for one client (consolidation mode).
    LogFollower,
    /// Command that an executor or a controller started.
    Subprocess,
    /// Process of the tree that belongs to no other class.
    Other,
}

impl ProcessClass {
    /// List of all classes, in report order.
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

    /// Whether it is a class of executors, those that still start included.
    pub const fn is_executor(self) -> bool {
        matches!(self, Self::ShortExecutor | Self::LongExecutor | Self::StartingExecutor)
    }

    /// Name in files, flags and tables.
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

/// Error for a name that is no process class.
#[derive(Debug, thiserror::Error)]
#[error("unknown process class `{0}`")]
pub struct UnknownClass(String);
