//! A server of our own: own home, own temporary files, own ports. The user's
//! server, state and configuration are never touched.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use host::environment::{Environment, For, LIBRARIES, memory, server_env};
use host::progress::Step;
use host::signals::Signals;
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::infrastructure::Infrastructure;
use skyload::record::RunDir;
use skyload::record::environment::{
    ClientSettings, Inherited, RecordedEnvironment, ServerEnvironment,
};
use url::Url;

use super::custody::Custody;
use super::launch::{self, Patience, Surroundings};
use super::ports::{self, PortPair};
use super::{Addresses, Context, Farewell, Kind, ServerSession, api_servers, facts, furnish};

/// How often another pair of ports is tried: one may be taken between our look
/// and the server's.
const TRIES: u32 = 5;

/// A server of our own.
pub(super) struct IsolatedServer {
    run: RunDir,
    sky: PathBuf,
    /// `sky api stop` stops servers by their port; in releases that know no other
    /// port than the default one it stops every server of the machine instead.
    can_stop: bool,
    ports: PortPair,
    root: Option<ProcessIdentity>,
    surroundings: Surroundings,
    log: PathBuf,
    custody: Custody,
    ended: bool,
}

pub(super) fn begin(context: &Context<'_>, deploy: bool) -> Result<ServerSession> {
    tell_what_is_left_out(context);
    let mut attempt = 1;
    loop {
        match begin_once(context, deploy) {
            Err(error) if attempt < TRIES && ports::is_clash(&error) => {
                attempt += 1;
                context.progress.note("A port was taken meanwhile; trying another pair");
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
        "Restarting the API server (SkyPilot {}, isolated, port {})",
        facts.version, ports.api
    ));
    let url = server.url()?;
    // Custody is taken: from here on, every way out clears the server away.
    let health = server.start(context, deploy, &url, &step)?;
    let root = api_servers::main_process(ports.api)?
        .context("finding the main process of the server, which answers")?;
    server.root = Some(root);
    server.custody.add([root])?;
    let workers = launch::worker_counts(&server.log);
    let facts = facts::of_ours(&url, context)?;
    step.done(format!("ready, {root}"));
    let client = server.client_settings(context, &url);
    let environment = recorded(context);
    Ok(ServerSession {
        server: super::under_test(health, Some(root), workers, facts),
        environment,
        addresses: Some(Addresses { root, api_port: ports.api, queue_port: ports.queue }),
        client,
        kind: Kind::Isolated(server),
    })
}

impl IsolatedServer {
    fn prepare(context: &Context<'_>, ports: PortPair) -> Result<Self> {
        let instance = context.run.instance();
        // An earlier try with other ports may have left its files.
        _ = fs::remove_dir_all(&instance);
        let (home, temporary) = (instance.join("home"), instance.join("tmp"));
        for folder in [&home.join(".sky"), &temporary] {
            fs::create_dir_all(folder).context("creating the server's directories")?;
        }
        let custody = Custody::take(context, Some(instance), false)?;
        let text = |path: &Path| path.display().to_string();
        let surroundings = Surroundings {
            inherited: Some(inherited(context)),
            unset: Vec::new(),
            asked: server_env::with_values(&context.plan.server_env),
            folder: home.clone(),
            set: vec![
                ("HOME".to_owned(), text(&home)),
                ("TMPDIR".to_owned(), text(&temporary)),
                (env::LOCAL_PORT.to_owned(), ports.api.to_string()),
                (env::NO_USAGE.to_owned(), "1".to_owned()),
                (env::SERVER_OF_RUN.to_owned(), context.run.id().to_string()),
            ]
            .into_iter()
            .chain(furnish::variables(context))
            .collect(),
        };
        let server = Self {
            run: context.run.clone(),
            sky: context.sky.sky.clone(),
            can_stop: context.sky.facts.selects_port,
            ports,
            root: None,
            surroundings,
            log: home.join(".sky/api_server/server.log"),
            custody,
            ended: false,
        };
        // Not before there is somebody who clears it away: credentials are copied.
        furnish::home(context, &home)?;
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
        if self.can_stop && !deploy {
            let patience = Patience::UntilInterrupted(context.signals);
            launch::sky_ok(&self.sky, &["api", "stop"], &self.surroundings, patience)?;
            step.update("sky api start");
            let start = ["api", "start", "--port", &port];
            let started = launch::sky_ok(&self.sky, &start, &self.surroundings, patience);
            launch::excuse_slow_start(started, self.ports.api, &self.log)?;
            let died = launch::is_gone(self.ports.api);
            return launch::wait_until_ready(url, &self.log, context, step, died);
        }
        // `sky api start --deploy` listens on all interfaces, and old releases can't
        // be given a port; the module can do both.
        let python = context.sky.python.as_deref().with_context(|| {
            format!("finding the Python of `{}`, which this needs", self.sky.display())
        })?;
        let mut args = vec!["--host=127.0.0.1".to_owned(), format!("--port={port}")];
        if deploy {
            args.push("--deploy".to_owned());
        }
        let mut child = launch::module(python, &args, &self.log, &self.surroundings)?;
        if let Some(identity) = ProcessIdentity::of(child.id()) {
            self.custody.add([identity])?;
        }
        launch::wait_until_ready(url, &self.log, context, step, || {
            child.try_wait().is_ok_and(|status| status.is_some())
        })
    }

    fn url(&self) -> Result<Url> {
        Url::parse(&format!("http://127.0.0.1:{}", self.ports.api)).context("composing the address")
    }

    fn client_settings(&self, context: &Context<'_>, url: &Url) -> ClientSettings {
        // What an infrastructure wants of the server is nothing to its clients.
        let for_infrastructure = furnish::variables(context);
        let is_servers_own = |name: &str| {
            matches!(name, "TMPDIR" | env::NO_USAGE | env::SERVER_OF_RUN)
                || for_infrastructure.iter().any(|(variable, _)| variable == name)
        };
        let set = self.surroundings.set.iter();
        let mut variables: Vec<(String, String)> =
            set.filter(|(name, _)| !is_servers_own(name)).cloned().collect();
        let inherited = Environment::of(For::SkyPilot);
        let mut names = inherited.names();
        // Cargo and nextest set it for scenarios, which are who starts clients.
        if let Some(value) = inherited.value(LIBRARIES) {
            variables.push((LIBRARIES.to_owned(), value.to_string_lossy().into_owned()));
        }
        names.retain(|name| name != LIBRARIES);
        variables.extend(super::of_clients(context));
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

    /// Stops the server as its users do, then clears away what that left behind.
    pub(super) fn finish(mut self, signals: &Signals) -> Result<Farewell> {
        self.ended = true;
        launch::keep_log(&self.log, &self.run.server_log_tail())?;
        if !self.can_stop {
            self.custody.clear()?;
            return Ok(Farewell::Otherwise);
        }
        let was_alive = self.root.is_some_and(ProcessIdentity::is_alive);
        self.custody.stop_and_clear(was_alive, || {
            let patience = Patience::UntilInterruptedAgain(signals);
            launch::sky_ok(&self.sky, &["api", "stop"], &self.surroundings, patience)
        })
    }

    /// Leaves the server running.
    pub(super) fn keep(mut self) -> Result<()> {
        self.ended = true;
        launch::keep_log(&self.log, &self.run.server_log_tail())?;
        self.custody.keep()
    }
}

impl Drop for IsolatedServer {
    fn drop(&mut self) {
        if !self.ended {
            _ = launch::keep_log(&self.log, &self.run.server_log_tail());
            _ = self.custody.clear();
        }
    }
}

/// What the server is given of the shell's variables.
fn inherited(context: &Context<'_>) -> Environment {
    Environment::of(match &context.plan.infrastructure {
        Infrastructure::Clouds(clouds) if context.copies_credentials => For::ServerOn(clouds),
        _ => For::SkyPilot,
    })
}

/// Says by name what somebody who has set it may look for in vain.
fn tell_what_is_left_out(context: &Context<'_>) {
    const SHOWN: usize = 8;
    let asked = &context.plan.server_env;
    let mut names = inherited(context).affecting_results();
    names.retain(|name| asked.iter().all(|given| given.name != *name));
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

/// What is noted of it.
fn recorded(context: &Context<'_>) -> ServerEnvironment {
    let inherited = inherited(context);
    let variables = inherited.iter();
    let memory = memory::shape(variables, &context.plan.server_env);
    ServerEnvironment::Recorded(RecordedEnvironment {
        passed_on: inherited.names(),
        left_out: inherited.left_out(),
        memory,
    })
}
