//! Server under test: starting, checking, stopping and cleaning up.
//!
//! [`ServerSession`] owns the server. `finish()` stops it cleanly and returns the processes
//! that the stop leaked; on every other path Drop cleans up.

mod api_servers;
mod cleanup_record;
mod copies;
mod credentials;
mod facts;
mod health;
mod isolated;
mod launch;
mod metrics;
mod ports;
mod processes;
mod provision;
mod remote;
mod restart;
mod semaphores;
mod sizing;
mod ssh_sockets;
mod system;
mod tracing;

use anyhow::Result;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use loopback::ServerSetup;
use skyload::api::Health;
use skyload::credentials::{Credentials, Login};
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::plan::{LoadPlan, MetricsSource, ServerTarget};
use skyload::record::RunDir;
use skyload::record::environment::{
    ClientSettings, CountedMachine, ServerEnvironment, ServerUnderTest, WorkerCounts,
};
use url::Url;

pub(crate) use api_servers::{ApiServer, api_servers};
pub(crate) use cleanup_record::{clean_up_after_dead_runs, has_processes};
pub(crate) use health::runtime;
pub(crate) use launch::timeout_usage_error;
pub(crate) use ports::DEFAULT_API_PORT;
pub(crate) use sizing::{StatedSize, variables as size_variables, why_without_cpus};
pub(crate) use tracing::Traced;

use crate::sky::SkyInstallation;
use facts::Facts;
use isolated::IsolatedServer;
use system::SystemServer;

/// Inputs of starting a server.
pub(crate) struct Context<'a> {
    pub(crate) plan: &'a LoadPlan,
    pub(crate) run: &'a RunDir,
    pub(crate) workspace: &'a Workspace,
    pub(crate) sky: &'a SkyInstallation,
    /// CPUs and memory of this machine as this SkyPilot counts them.
    pub(crate) counted: Option<CountedMachine>,
    pub(crate) signals: &'a Signals,
    pub(crate) progress: Progress,
    /// `--yes`.
    pub(crate) yes: bool,
    /// Settings of an isolated server that launches on the loopback Slurm cluster.
    pub(crate) setup: Option<ServerSetup>,
    /// `--copy-credentials`.
    pub(crate) copies_credentials: bool,
    /// Credentials that clients send to the server.
    pub(crate) credentials: Credentials,
    /// Login in the URL of the server's metrics.
    pub(crate) metrics_login: Option<Login>,
    /// Tracing of the executors of an isolated server; `None` for a server that is measured.
    pub(crate) traced: Option<Traced>,
}

impl Context<'_> {
    /// Credentials for the server's metrics: the login of their URL, or those of the server if its
    /// address is the same. Another address may be another owner's.
    pub(crate) fn metrics_credentials(&self, metrics: &Url) -> Credentials {
        match (&self.metrics_login, &self.plan.server) {
            (Some(login), _) => Credentials::Login(login.clone()),
            (None, ServerTarget::Remote(url)) if url.origin() == metrics.origin() => {
                self.credentials.clone()
            }
            (None, _) => Credentials::None,
        }
    }
}

/// Server under test, from its start to the end of the run.
pub(crate) struct ServerSession {
    kind: Kind,
    pub(crate) server: ServerUnderTest,
    /// Record of the environment variables that the server's processes inherited.
    pub(crate) environment: ServerEnvironment,
    pub(crate) client: ClientSettings,
    /// Main process and ports; `None` for a remote server.
    pub(crate) addresses: Option<Addresses>,
    /// URL of the server's own metrics; `None` if the run does not read them.
    pub(crate) metrics: Option<Url>,
}

enum Kind {
    Isolated(Box<IsolatedServer>),
    System(Box<SystemServer>),
    Remote,
}

/// Main process and ports of a server, for the profiler.
#[derive(Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) root: ProcessIdentity,
    pub(crate) api_port: u16,
    pub(crate) queue_port: u16,
}

/// State of the server under test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerState {
    Alive,
    Gone,
    Replaced,
}

impl ServerSession {
    /// Restarts the server and waits until it responds. A remote server is not restarted.
    pub(crate) fn begin(context: &Context<'_>) -> Result<Self> {
        match &context.plan.server {
            ServerTarget::Isolated { deploy } => isolated::begin(context, *deploy),
            ServerTarget::System => system::begin(context),
            ServerTarget::Remote(url) => remote::begin(context, url),
        }
    }

    /// Stated size of the server; `None` for a server of its machine's size.
    pub(crate) fn stated_size(&self) -> Option<&StatedSize> {
        match &self.kind {
            Kind::Isolated(server) => server.stated_size.as_ref(),
            Kind::System(_) | Kind::Remote => None,
        }
    }

    /// State of the server, told from its main process. A remote server counts as alive: if
    /// it is gone, the clients' requests fail.
    pub(crate) fn state(&self) -> Result<ServerState> {
        let Some(addresses) = self.addresses else { return Ok(ServerState::Alive) };
        Ok(if addresses.root.is_alive() {
            ServerState::Alive
        } else if api_servers::main_process(addresses.api_port)?.is_some() {
            ServerState::Replaced
        } else {
            ServerState::Gone
        })
    }

    /// Records semaphores that the server has made, which outlive it if it is killed.
    pub(crate) fn note_semaphores(&self) -> Result<()> {
        match &self.kind {
            Kind::Isolated(server) => server.note_semaphores(),
            Kind::System(server) => server.note_semaphores(),
            Kind::Remote => Ok(()),
        }
    }

    /// Ends the session: saves the end of the server's log, then stops the server or leaves
    /// it as it was found.
    pub(crate) fn finish(self, keep: bool, signals: &Signals) -> Result<StopOutcome> {
        match self.kind {
            Kind::Isolated(server) if keep => server.keep().map(|()| StopOutcome::NoStop),
            Kind::Isolated(server) => server.finish(signals),
            Kind::System(server) => server.finish(signals),
            Kind::Remote => Ok(StopOutcome::NoStop),
        }
    }
}

/// Outcome of a session's end.
#[derive(Debug)]
pub(crate) enum StopOutcome {
    /// Titles of the processes that `sky api stop` leaked. They have been killed.
    Stopped(Vec<String>),
    /// Server that stays, had died before, or was killed since `sky api stop` cannot select it.
    NoStop,
    /// Error or timeout of `sky api stop`, after which all processes were killed.
    StopFailed(anyhow::Error),
}

/// Variables of all clients, for any kind of server.
fn client_variables(context: &Context<'_>) -> [(String, String); 3] {
    [
        // Otherwise a client that finds no server would start one.
        ("SKYPILOT_DISABLE_LOCAL_API_SERVER", "1".to_owned()),
        (env::NO_USAGE, "1".to_owned()),
        (env::CLIENT_OF_RUN, context.run.id().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// URL of the metrics of a server that skyload does not configure.
fn metrics_of_url(plan: &LoadPlan) -> Option<Url> {
    match &plan.server_metrics.as_ref()?.source {
        MetricsSource::Isolated => None,
        MetricsSource::Url(url) => Some(url.clone()),
    }
}

/// Description of a server that has responded.
fn server_under_test(
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
