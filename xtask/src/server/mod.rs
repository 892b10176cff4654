//! The server under test: started, watched, handed back or removed.
//!
//! [`ServerSession`] owns it. `finish()` ends the session in good order and says
//! what the server left behind; Drop is the backstop for every other way out.

mod api_servers;
mod copies;
mod credentials;
mod custody;
mod facts;
mod furnish;
mod health;
mod isolated;
mod launch;
mod ports;
mod processes;
mod remote;
mod semaphores;
mod ssh_sockets;
mod system;

use anyhow::Result;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use loopback::ServerSetup;
use skyload::api::Health;
use skyload::credentials::Credentials;
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::plan::{LoadPlan, ServerTarget};
use skyload::record::RunDir;
use skyload::record::environment::{
    ClientSettings, CountedMachine, ServerEnvironment, ServerUnderTest, WorkerCounts,
};

pub(crate) use api_servers::{ApiServer, api_servers};
pub(crate) use custody::{clean_up_after_dead_runs, has_processes};
pub(crate) use health::runtime;
pub(crate) use launch::mistake_in_limit;
pub(crate) use ports::DEFAULT_API_PORT;

use crate::sky::SkyInstallation;
use facts::Facts;
use isolated::IsolatedServer;
use system::SystemServer;

/// What a server is started with.
pub(crate) struct Context<'a> {
    pub(crate) plan: &'a LoadPlan,
    pub(crate) run: &'a RunDir,
    pub(crate) workspace: &'a Workspace,
    pub(crate) sky: &'a SkyInstallation,
    /// What that counts of this machine.
    pub(crate) counted: Option<CountedMachine>,
    pub(crate) signals: &'a Signals,
    pub(crate) progress: Progress,
    /// `--yes`.
    pub(crate) yes: bool,
    /// What the loopback infrastructure wants of a server of ours.
    pub(crate) setup: Option<ServerSetup>,
    /// `--copy-credentials`.
    pub(crate) copies_credentials: bool,
    /// How clients tell the server who they are.
    pub(crate) credentials: Credentials,
}

/// The server under test for as long as the run lasts.
pub(crate) struct ServerSession {
    kind: Kind,
    pub(crate) server: ServerUnderTest,
    /// What its processes found in their environment.
    pub(crate) environment: ServerEnvironment,
    pub(crate) client: ClientSettings,
    /// What the profiler must know; `None` for a server on another machine.
    pub(crate) addresses: Option<Addresses>,
}

enum Kind {
    Isolated(IsolatedServer),
    System(SystemServer),
    Remote,
}

/// What the profiler must know of a server.
#[derive(Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) root: ProcessIdentity,
    pub(crate) api_port: u16,
    pub(crate) queue_port: u16,
}

/// How a server fares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Alive,
    Gone,
    Replaced,
}

impl ServerSession {
    /// Restarts the server (or, if it is elsewhere, looks it up) and waits until
    /// it answers.
    pub(crate) fn begin(context: &Context<'_>) -> Result<Self> {
        match &context.plan.server {
            ServerTarget::Isolated { deploy } => isolated::begin(context, *deploy),
            ServerTarget::System => system::begin(context),
            ServerTarget::Remote(url) => remote::begin(context, url),
        }
    }

    /// Whether the server is still the one that was started. One that is elsewhere
    /// counts as alive: its clients will say.
    pub(crate) fn fate(&self) -> Result<Fate> {
        let Some(addresses) = self.addresses else { return Ok(Fate::Alive) };
        Ok(if addresses.root.is_alive() {
            Fate::Alive
        } else if api_servers::main_process(addresses.api_port)?.is_some() {
            Fate::Replaced
        } else {
            Fate::Gone
        })
    }

    /// Ends the session: keeps the end of the server's log, stops the server or
    /// leaves it as it was found.
    pub(crate) fn finish(self, keep: bool, signals: &Signals) -> Result<Farewell> {
        match self.kind {
            Kind::Isolated(server) if keep => server.keep().map(|()| Farewell::Otherwise),
            Kind::Isolated(server) => server.finish(signals),
            Kind::System(server) => server.finish(signals),
            Kind::Remote => Ok(Farewell::Otherwise),
        }
    }
}

/// How a server was left.
#[derive(Debug)]
pub(crate) enum Farewell {
    /// Stopped as its users do. The titles of processes that this left behind, which are
    /// gone by now.
    Stopped(Vec<String>),
    /// It stays, or had died before and was cleared away.
    Otherwise,
    /// A stop as its users do failed, or took too long, so that it was cleared away.
    NotStopped(anyhow::Error),
}

/// Variables of all clients, whatever their server.
fn of_clients(context: &Context<'_>) -> [(String, String); 3] {
    [
        // Without it, a client that finds no server starts one.
        ("SKYPILOT_DISABLE_LOCAL_API_SERVER", "1".to_owned()),
        (env::NO_USAGE, "1".to_owned()),
        (env::CLIENT_OF_RUN, context.run.id().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// A server that has answered.
fn under_test(
    health: Health,
    identity: Option<ProcessIdentity>,
    workers: Option<WorkerCounts>,
    facts: Facts,
) -> ServerUnderTest {
    ServerUnderTest {
        identity,
        version: health.version,
        commit: health.commit,
        api_version: health.api_version,
        workers,
        consolidation: facts.consolidation.jobs,
        serve_consolidation: facts.consolidation.services,
        clouds: facts.clouds,
    }
}
