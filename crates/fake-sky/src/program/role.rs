//! Which of its roles a process plays.
//!
//! The command lines must read like SkyPilot's, where an executor that still
//! imports and a queue manager look the same. So parents tell their children
//! by two variables; the names do not begin like those of the settings.

use std::process::id;

use anyhow::{Context, bail};

use super::protocol::Queue;

const ROLE: &str = "_FAKE_SKY_ROLE";
const PARENT: &str = "_FAKE_SKY_PARENT";

/// What a process is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The `sky` command line.
    CommandLine,
    /// The server's main process.
    Server(StartMode),
    /// An executor that has not taken its title yet.
    StartingExecutor(Queue),
    /// An executor that serves requests.
    Executor,
    /// A child that does nothing: the queue manager, the resource tracker.
    Idle,
    /// A web worker of a deployed server: memory, and the API's socket.
    WebWorker,
}

/// How a server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartMode {
    /// In the foreground, by whoever wants to be its parent.
    Foreground,
    /// By `sky api start`: it leaves the session of its parent.
    Detached,
    /// By a server that it replaces: the ports are not free yet.
    Successor,
}

impl Role {
    /// The role of this process, which was called with `arguments`.
    pub(crate) fn of(arguments: &[String]) -> anyhow::Result<Self> {
        if let Some(name) = read(ROLE) {
            return Self::from_name(&name);
        }
        match arguments.get(1..3) {
            Some([flag, module]) if flag == "-m" && module == "sky.server.server" => {
                Ok(Self::Server(StartMode::Foreground))
            }
            _ => Ok(Self::CommandLine),
        }
    }

    /// The variables by which a child of this process learns its role.
    pub(crate) fn variables(self) -> [(&'static str, String); 2] {
        [(ROLE, self.name().to_owned()), (PARENT, id().to_string())]
    }

    /// The variable for the program that takes this process's place: its
    /// parent stays the same.
    pub(crate) fn variable(self) -> (&'static str, &'static str) {
        (ROLE, self.name())
    }

    fn name(self) -> &'static str {
        match self {
            Self::CommandLine => "command-line",
            Self::Server(StartMode::Foreground) => "server",
            Self::Server(StartMode::Detached) => "server-detached",
            Self::Server(StartMode::Successor) => "server-successor",
            Self::StartingExecutor(Queue::Short) => "starting-short",
            Self::StartingExecutor(Queue::Long) => "starting-long",
            Self::Executor => "executor",
            Self::Idle => "idle",
            Self::WebWorker => "web-worker",
        }
    }

    fn from_name(name: &str) -> anyhow::Result<Self> {
        Ok(match name {
            "command-line" => Self::CommandLine,
            "server" => Self::Server(StartMode::Foreground),
            "server-detached" => Self::Server(StartMode::Detached),
            "server-successor" => Self::Server(StartMode::Successor),
            "starting-short" => Self::StartingExecutor(Queue::Short),
            "starting-long" => Self::StartingExecutor(Queue::Long),
            "executor" => Self::Executor,
            "idle" => Self::Idle,
            "web-worker" => Self::WebWorker,
            _ => bail!("{ROLE}={name}: there is no such role"),
        })
    }
}

/// The pid of the server that started this process.
pub(crate) fn parent() -> anyhow::Result<i32> {
    let pid = read(PARENT).with_context(|| format!("{PARENT} is not set"))?;
    pid.parse().with_context(|| format!("{PARENT}={pid} is not a pid"))
}

/// Reads one environment variable.
#[expect(clippy::disallowed_methods, reason = "here, the names are this package's own")]
pub(crate) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
