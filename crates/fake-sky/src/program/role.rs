//! Role of a process.
//!
//! Command lines must look like SkyPilot's, in which a starting executor and the queue
//! manager are the same. Therefore a parent passes the role in environment variables. Their
//! names do not have the prefix of the settings, where unknown names are errors.

use std::process::id;

use anyhow::{Context, bail};

use super::protocol::Queue;

const ROLE: &str = "_FAKE_SKY_ROLE";
const PARENT: &str = "_FAKE_SKY_PARENT";

/// Purpose of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `sky` command line.
    CommandLine,
    /// Main process of the server.
    Server(StartMode),
    /// Executor that still imports and has no title.
    StartingExecutor(Queue),
    /// Executor that runs requests.
    Executor,
    /// Idle child process: the queue manager, the resource tracker.
    Idle,
    /// Web worker of a server in deploy mode: holds memory and the socket of the API.
    WebWorker,
}

/// Way in which a server is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartMode {
    /// Start in the foreground: the server stays a child in its parent's session.
    Foreground,
    /// Start by `sky api start`: the server leaves its parent's session.
    Detached,
    /// Start by the server that is replaced: the ports are not free yet.
    Successor,
}

impl Role {
    /// Role of this process, from its environment or else its arguments.
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

    /// Environment variables that give a child process this role.
    pub(crate) fn variables(self) -> [(&'static str, String); 2] {
        [(ROLE, self.name().to_owned()), (PARENT, id().to_string())]
    }

    /// Environment variable that gives this process the role after an `exec`, which does not
    /// change its parent.
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
            _ => bail!("{ROLE}: unknown role `{name}`"),
        })
    }
}

/// Pid of the server that started this process.
pub(crate) fn parent() -> anyhow::Result<i32> {
    let pid = read(PARENT).with_context(|| format!("{PARENT} is not set"))?;
    pid.parse().with_context(|| format!("{PARENT}: expected a pid, got `{pid}`"))
}

/// Value of an environment variable; `None` if it is unset or not valid UTF-8.
#[expect(clippy::disallowed_methods, reason = "the names are constants of this package")]
pub(crate) fn read(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
