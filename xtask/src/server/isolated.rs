//! Isolated server: separate home, temporary directory and ports. The user's local server, state
//! and configuration are never touched.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::environment::{Environment, For, LIBRARIES, memory, server_env};
use host::progress::Step;
use host::signals::Signals;
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::infrastructure::Infrastructure;
use skyload::plan::ServerMetrics;
use skyload::record::RunDir;
use skyload::record::environment::{
    ClientSettings, Inherited, RecordedEnvironment, ServerEnvironment,
};
use url::Url;

use super::cleanup_record::CleanupRecord;
use super::launch::{self, Cancellation, CommandEnvironment};
use super::metrics::MetricsSetup;
use super::ports::{self, PortPair};
use super::sizing::{self, StatedSize};
use super::{Addresses, Context, Kind, ServerSession, StopOutcome, api_servers, facts, provision};

/// Maximum number of starts, each with other ports: another process may take a port between
/// the check that it is free and the server's bind.
const ATTEMPTS: u32 = 5;

/// Guard of an isolated server: removes it when dropped.
pub(super) struct IsolatedServer {
    run: RunDir,
    sky: PathBuf,
    /// Whether `sky api stop` stops this server alone, by its port. In releases that cannot
    /// select a port it stops every API server of the machine.
    can_stop: bool,
    ports: PortPair,
    /// Port of the server's own metrics; `None` without `--metrics`.
    metrics_port: Option<u16>,
    root: Option<ProcessIdentity>,
    command_env: CommandEnvironment,
    /// Stated size of the server, and its control group; `None` without one.
    pub(super) stated_size: Option<StatedSize>,
    log: PathBuf,
    /// Record that is updated beside the load, while others borrow the server.
    cleanup: RefCell<CleanupRecord>,
    ended: bool,
}

pub(super) fn begin(context: &Context<'_>, deploy: bool) -> Result<ServerSession> {
    report_withheld_variables(context);
    let mut attempt = 1;
    loop {
        match begin_once(context, deploy) {
            Err(error) if attempt < ATTEMPTS && ports::is_port_conflict(&error) => {
                attempt += 1;
                context.progress.note("Another process has taken a port; trying other ports");
            }
            result => return result,
        }
    }
}

fn begin_once(context: &Context<'_>, deploy: bool) -> Result<ServerSession> {
    let facts = &context.sky.facts;
    let ports = ports::find_free(!facts.selects_port)?;
    let mut server = IsolatedServer::prepare(context, ports)?;
    let step = context.progress.step(format!(
        "Restarting the isolated API server (SkyPilot {}, port {})",
        facts.version, ports.api
    ));
    let url = server.url()?;
    // The cleanup record exists: from here on, dropping the guard removes the server.
    let started = server.start(context, deploy, &url, &step);
    let health = started.map_err(|error| sizing::with_kills(server.stated_size.as_ref(), error))?;
    let root = api_servers::main_process(ports.api)?
        .context("finding the main process of the server, which responds")?;
    server.root = Some(root);
    server.cleanup.get_mut().add([root])?;
    let workers = launch::worker_counts(&server.log);
    let facts = facts::of_isolated(&url, context)?;
    step.done(format!("ready, {root}"));
    let client = server.client_settings(context, &url);
    let environment = recorded(context);
    Ok(ServerSession {
        server: super::server_under_test(health, Some(root), workers, facts),
        environment,
        metrics: server.metrics_url()?,
        addresses: Some(Addresses { root, api_port: ports.api, queue_port: ports.queue }),
        client,
        kind: Kind::Isolated(Box::new(server)),
    })
}

impl IsolatedServer {
    fn prepare(context: &Context<'_>, ports: PortPair) -> Result<Self> {
        let instance = context.run.instance();
        // An earlier attempt with other ports may have left files.
        _ = fs::remove_dir_all(&instance);
        let (home, temporary) = (instance.join("home"), instance.join("tmp"));
        for folder in [&home.join(".sky"), &temporary] {
            fs::create_dir_all(folder).context("creating the server's directories")?;
        }
        let metrics = match reads_metrics(context) {
            true => Some(MetricsSetup::prepare(&instance, ports)?),
            false => None,
        };
        let cleanup = CleanupRecord::create(context, Some(instance), None)?;
        let text = |path: &Path| path.display().to_string();
        let command_env = CommandEnvironment {
            inherited: Some(inherited(context)),
            unset: Vec::new(),
            requested: server_env::with_values(&context.plan.server_env),
            directory: home.clone(),
            // Only the start of the server enters its group.
            group: None,
            set: vec![
                ("HOME".to_owned(), text(&home)),
                // A start with metrics on removes `$TMPDIR/metrics`, whichever server uses it.
                ("TMPDIR".to_owned(), text(&temporary)),
                (env::LOCAL_PORT.to_owned(), ports.api.to_string()),
                (env::NO_USAGE.to_owned(), "1".to_owned()),
                (env::SERVER_OF_RUN.to_owned(), context.run.id().to_string()),
            ]
            .into_iter()
            .chain(metrics.iter().flat_map(MetricsSetup::variables))
            .chain(provision::variables(context))
            .chain(sizing::variables(context.plan))
            .collect(),
        };
        let mut server = Self {
            run: context.run.clone(),
            sky: context.sky.sky.clone(),
            can_stop: context.sky.facts.selects_port,
            ports,
            metrics_port: metrics.map(|metrics| metrics.port),
            root: None,
            command_env,
            stated_size: None,
            log: home.join(".sky/api_server/server.log"),
            cleanup: RefCell::new(cleanup),
            ended: false,
        };
        // After the cleanup record and the guard, since this copies credentials.
        provision::home(context, &home)?;
        server.stated_size = StatedSize::begin(context, server.cleanup.get_mut())?;
        if let Some(stated) = &server.stated_size {
            stated.announce(context);
            stated.write(&server.run, None)?;
        }
        Ok(server)
    }

    fn start(
        &mut self,
        context: &Context<'_>,
        deploy: bool,
        url: &Url,
        step: &Step,
    ) -> Result<skyload::api::Health> {
        let port = self.ports.api.to_string();
        let group = self.stated_size.as_ref().and_then(StatedSize::group);
        let inside = self.command_env.inside(group);
        if self.can_stop && !deploy && self.metrics_port.is_none() {
            let cancellation = Cancellation::OnInterrupt(context.signals);
            launch::run_sky(&self.sky, &["api", "stop"], &self.command_env, cancellation)?;
            step.update("sky api start");
            let start = ["api", "start", "--port", &port];
            let started = launch::run_sky(&self.sky, &start, &inside, cancellation);
            launch::accept_slow_start(started, self.ports.api, &self.log)?;
            let died = launch::exit_check(self.ports.api);
            return launch::wait_until_ready(url, &self.log, context, step, died);
        }
        // `sky api start --deploy` listens on all interfaces, in old releases it takes no port, and
        // in none a port for metrics. The module takes a host and all ports.
        let python = context.sky.python.as_deref().or(context.sky.facts.python.as_deref());
        let python = python.with_context(|| {
            format!("finding the Python of `{}`, to start the server's module", self.sky.display())
        })?;
        let mut args = vec!["--host=127.0.0.1".to_owned(), format!("--port={port}")];
        if deploy {
            args.push("--deploy".to_owned());
        }
        args.extend(self.metrics_port.map(|port| format!("--metrics-port={port}")));
        let mut child = launch::spawn_module(python, &args, &self.log, &inside)?;
        if let Some(identity) = ProcessIdentity::of(child.id()) {
            self.cleanup.get_mut().add([identity])?;
        }
        launch::wait_until_ready(url, &self.log, context, step, || {
            child.try_wait().is_ok_and(|status| status.is_some())
        })
    }

    fn url(&self) -> Result<Url> {
        Url::parse(&format!("http://127.0.0.1:{}", self.ports.api)).context("composing the address")
    }

    fn metrics_url(&self) -> Result<Option<Url>> {
        let url = |port| Url::parse(&format!("http://127.0.0.1:{port}/metrics"));
        self.metrics_port.map(url).transpose().context("composing the address of the metrics")
    }

    fn client_settings(&self, context: &Context<'_>, url: &Url) -> ClientSettings {
        // Variables for the loopback Slurm cluster are for the server, not for clients.
        let for_infra = provision::variables(context);
        let is_server_only = |name: &str| {
            matches!(name, "TMPDIR" | env::NO_USAGE | env::SERVER_OF_RUN)
                // A client would write its own counts into the server's files.
                || MetricsSetup::NAMES.contains(&name)
                || sizing::NAMES.contains(&name)
                || for_infra.iter().any(|(variable, _)| variable == name)
        };
        let set = self.command_env.set.iter();
        let mut variables: Vec<(String, String)> =
            set.filter(|(name, _)| !is_server_only(name)).cloned().collect();
        let inherited = Environment::of(For::SkyPilot);
        let mut names = inherited.names();
        // Clients are started by scenarios, for which cargo and nextest set another value.
        if let Some(value) = inherited.value(LIBRARIES) {
            variables.push((LIBRARIES.to_owned(), value.to_string_lossy().into_owned()));
        }
        names.retain(|name| name != LIBRARIES);
        variables.extend(super::client_variables(context));
        // Clients of these releases do not read the port of a local server from a variable.
        if !context.sky.facts.selects_port {
            let endpoint = url.as_str().trim_end_matches('/').to_owned();
            variables.push((env::ENDPOINT.to_owned(), endpoint));
        }
        ClientSettings {
            endpoint: url.clone(),
            sky: self.sky.clone(),
            variables,
            without: Vec::new(),
            inherits: Inherited::Only(names),
        }
    }

    /// Records the server's semaphores, for the cleanup.
    pub(super) fn note_semaphores(&self) -> Result<()> {
        self.cleanup.borrow_mut().note_semaphores()
    }

    /// Stops the server by `sky api stop` where possible, then kills and removes what is left.
    pub(super) fn finish(mut self, signals: &Signals) -> Result<StopOutcome> {
        // Before the cleanup, which removes the server's home with the log. An error waits for the
        // end of the cleanup: a full disk must not leave the server running.
        let saved = launch::save_log_tail(&self.log, &self.run.server_log_tail());
        // Another run's server may have taken the port of one that died.
        let is_replaced = api_servers::is_replaced(self.root, self.ports.api)?;
        let outcome = if self.can_stop && !is_replaced {
            let was_alive = self.root.is_some_and(ProcessIdentity::is_alive);
            self.cleanup.get_mut().stop_and_clean_up(was_alive, || {
                let cancellation = Cancellation::OnNewInterrupt(signals);
                launch::run_sky(&self.sky, &["api", "stop"], &self.command_env, cancellation)
            })?
        } else {
            self.cleanup.get_mut().clean_up()?;
            StopOutcome::NoStop
        };
        // After an error so far, Drop cleans up.
        self.ended = true;
        saved?;
        Ok(outcome)
    }

    /// Leaves the server running, unless that cannot be recorded.
    pub(super) fn keep(mut self) -> Result<()> {
        let saved = launch::save_log_tail(&self.log, &self.run.server_log_tail());
        self.cleanup.get_mut().keep()?;
        self.ended = true;
        saved
    }
}

impl Drop for IsolatedServer {
    fn drop(&mut self) {
        if !self.ended {
            _ = launch::save_log_tail(&self.log, &self.run.server_log_tail());
            _ = self.cleanup.get_mut().clean_up();
        }
    }
}

/// Whether the server is started with metrics.
fn reads_metrics(context: &Context<'_>) -> bool {
    context.plan.server_metrics.as_ref().is_some_and(ServerMetrics::is_isolated)
}

/// Shell variables that the server inherits.
fn inherited(context: &Context<'_>) -> Environment {
    Environment::of(match &context.plan.infrastructure {
        Infrastructure::Clouds(clouds) if context.copies_credentials => For::ServerOn(clouds),
        _ => For::SkyPilot,
    })
}

/// Reports which variables of the shell the server does not inherit although they would matter.
fn report_withheld_variables(context: &Context<'_>) {
    const SHOWN: usize = 8;
    let requested = &context.plan.server_env;
    let mut names = inherited(context).affecting_results();
    names.retain(|name| requested.iter().all(|given| given.name != *name));
    if names.is_empty() {
        return;
    }
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.truncate(SHOWN);
    context.progress.note(format!(
        "Not passed on from the shell to the isolated server: {}{more}",
        names.join(", ")
    ));
}

/// Record of the variables that the server inherits and does not inherit.
fn recorded(context: &Context<'_>) -> ServerEnvironment {
    let inherited = inherited(context);
    let variables = inherited.iter();
    let mut memory = memory::shape(variables, &context.plan.server_env);
    // Metrics take memory of every process, so runs with and without them are not comparable.
    if reads_metrics(context) {
        memory.variables.insert(env::SERVER_METRICS.to_owned(), "true".to_owned());
    }
    ServerEnvironment::Recorded(RecordedEnvironment {
        passed_on: inherited.names(),
        left_out: inherited.left_out(),
        memory,
    })
}
