//! The user's own server: restarted, loaded, and left as it was found.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use host::environment::{memory, proxies};
use host::progress::Progress;
use host::signals::Signals;
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::plan::UsageErrors;
use skyload::record::RunDir;
use skyload::record::environment::{
    ClientSettings, Inherited, RecordedEnvironment, ServerEnvironment,
};
use url::Url;

use super::custody::Custody;
use super::launch::{self, Patience, Surroundings};
use super::{Addresses, Context, Farewell, Kind, ServerSession, api_servers, facts, health, ports};

/// The user's own server.
pub(super) struct SystemServer {
    run: RunDir,
    sky: PathBuf,
    port: u16,
    signals: Signals,
    progress: Progress,
    root: Option<ProcessIdentity>,
    was_running: bool,
    log: PathBuf,
    custody: Custody,
    ended: bool,
}

pub(super) fn begin(context: &Context<'_>) -> Result<ServerSession> {
    let port = env::text(env::LOCAL_PORT)
        .and_then(|port| port.parse().ok())
        .unwrap_or(ports::DEFAULT_API_PORT);
    let url = Url::parse(&format!("http://127.0.0.1:{port}")).context("composing the address")?;
    let home = env::path("HOME").context("finding the home directory: HOME is not set")?;
    let log = home.join(".sky/api_server/server.log");
    let was_running = api_servers::main_process(port)?.is_some();
    if was_running {
        refuse_to_disturb(context, &url)?;
    }
    let sky = &context.sky.sky;
    let step = context.progress.step(format!(
        "Restarting the user's API server (SkyPilot {}, port {port})",
        context.sky.facts.version
    ));
    // From here on, every way out leaves the server as it was found, or clears it away.
    let mut server = SystemServer {
        run: context.run.clone(),
        sky: sky.clone(),
        port,
        signals: context.signals.clone(),
        progress: context.progress,
        root: None,
        was_running,
        log: log.clone(),
        custody: Custody::take(context, None, was_running)?,
        ended: false,
    };
    let mut surroundings = surroundings();
    let patience = Patience::UntilInterrupted(context.signals);
    launch::sky_ok(sky, &["api", "stop"], &surroundings, patience)?;
    let marker = (env::SERVER_OF_RUN.to_owned(), context.run.id().to_string());
    surroundings.set.push(marker);
    step.update("sky api start");
    let started = launch::sky_ok(sky, &["api", "start"], &surroundings, patience);
    launch::excuse_slow_start(started, port, &log)?;
    let died = launch::is_gone(port);
    let health = launch::wait_until_ready(&url, &log, context, &step, died)?;
    let root = api_servers::main_process(port)?
        .context("finding the main process of the server, which answers")?;
    server.root = Some(root);
    server.custody.add([root])?;
    let facts = facts::of_any(&url, context)?;
    step.done(format!("ready, {root}"));
    Ok(ServerSession {
        server: super::under_test(health, Some(root), launch::worker_counts(&log), facts),
        environment: recorded(),
        addresses: Some(Addresses { root, api_port: port, queue_port: ports::queue_port(port) }),
        client: ClientSettings {
            endpoint: url,
            sky: sky.clone(),
            variables: proxies::exceptions_of_shell()
                .into_iter()
                .chain(super::of_clients(context))
                .collect(),
            without: vec![env::ENDPOINT.to_owned()],
            inherits: Inherited::All,
        },
        kind: Kind::System(server),
    })
}

/// What is not passed on from the shell: with the endpoint, `sky` would turn to another server
/// than the user's own.
fn withheld() -> impl Iterator<Item = &'static str> {
    env::SCENARIO_ONLY.into_iter().chain([env::ENDPOINT])
}

/// The shell's environment as it is, but that nobody asks a proxy for what is here.
fn surroundings() -> Surroundings {
    Surroundings {
        inherited: None,
        unset: withheld().map(str::to_owned).collect(),
        asked: Vec::new(),
        set: proxies::exceptions_of_shell(),
        folder: PathBuf::from("/"),
    }
}

fn recorded() -> ServerEnvironment {
    let shell = env::all();
    let variables = shell.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
    let mut passed_on: Vec<String> =
        shell.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    passed_on.retain(|name| withheld().all(|withheld| withheld != name));
    passed_on.sort();
    ServerEnvironment::Recorded(RecordedEnvironment {
        passed_on,
        left_out: Vec::new(),
        memory: memory::shape(variables, &[]),
    })
}

/// A restart ends what runs on the server and wipes its list of requests.
fn refuse_to_disturb(context: &Context<'_>, url: &Url) -> Result<()> {
    let in_flight = match health::requests_in_flight(url, context.signals, &context.credentials)? {
        Ok(rows) => rows,
        // It answers, and may have requests to lose that it does not tell us of.
        Err(failure) if failure.status.is_some() && !context.yes => {
            return Err(UsageErrors(vec![format!(
                "--server system: nobody can tell whether requests are under way on the user's \
                 server, which would be ended by its restart: {}\n  hint: add --yes to restart it all \
                 the same",
                context.credentials.hide_in(&failure.to_string())
            )])
            .into());
        }
        Err(failure) if failure.status.is_some() => {
            let why = context.credentials.hide_in(&failure.to_string());
            context.progress.note(format!(
                "Nobody can tell whether requests are under way on the user's server: {why}"
            ));
            Vec::new()
        }
        // A server that doesn't answer has nobody's requests to lose.
        Err(failure) => {
            let why = context.credentials.hide_in(&failure.to_string());
            context.progress.note(format!("The user's server does not answer ({why})"));
            return Ok(());
        }
    };
    context.progress.note(
        "The user's API server will be restarted: its list of requests and their logs are lost; \
         clusters, jobs and settings stay",
    );
    if in_flight.is_empty() || context.yes {
        return Ok(());
    }
    let names: Vec<&str> = in_flight.iter().map(|row| row.name.as_str()).take(5).collect();
    Err(UsageErrors(vec![format!(
        "--server system: {} request(s) are under way on the user's server and would be ended by \
         its restart: {}{}\n  hint: wait until they are done, or add --yes to end them",
        in_flight.len(),
        names.join(", "),
        if in_flight.len() > names.len() { ", .." } else { "" }
    )])
    .into())
}

impl SystemServer {
    /// Leaves the server running if it was, and stops it if it wasn't.
    pub(super) fn finish(mut self, signals: &Signals) -> Result<Farewell> {
        self.ended = true;
        launch::keep_log(&self.log, &self.run.server_log_tail())?;
        let is_alive = self.root.is_some_and(ProcessIdentity::is_alive);
        if self.was_running && is_alive {
            self.custody.release()?;
            return Ok(Farewell::Otherwise);
        }
        let farewell = self.custody.stop_and_clear(is_alive, || {
            let patience = Patience::UntilInterruptedAgain(signals);
            launch::sky_ok(&self.sky, &["api", "stop"], &surroundings(), patience)
        });
        self.bring_back();
        farewell
    }

    /// Starts a server that was running, and is no longer, as the user would.
    fn bring_back(&self) {
        let is_gone = || api_servers::main_process(self.port).is_ok_and(|main| main.is_none());
        if !self.was_running || !is_gone() {
            return;
        }
        // Another Ctrl-C is for this start.
        self.signals.acknowledge();
        let step = self.progress.step("Starting the user's API server again, as it was found");
        let patience = Patience::UntilInterruptedAgain(&self.signals);
        match launch::sky_ok(&self.sky, &["api", "start"], &surroundings(), patience) {
            Ok(()) => step.done("started"),
            Err(error) => step.done(format!("it is not running: {error:#}")),
        }
    }
}

impl Drop for SystemServer {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if self.was_running {
            self.bring_back();
            _ = self.custody.release();
        } else {
            _ = self.custody.clear();
        }
    }
}
