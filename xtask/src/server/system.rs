//! Local server (`--server system`): restarted, loaded, and left as it was found.

use std::cell::RefCell;
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
use skyload::units::counted;
use url::Url;

use super::cleanup_record::CleanupRecord;
use super::launch::{self, Cancellation, CommandEnvironment};
use super::restart::{Changes, Running, Start, Variables};
use super::{
    Addresses, Context, Kind, ServerSession, StopOutcome, api_servers, facts, health, ports,
};

/// Guard of the local server: restores its state when dropped.
pub(super) struct SystemServer {
    run: RunDir,
    sky: PathBuf,
    /// Whether `sky api stop` stops this server alone, by its port.
    can_stop: bool,
    start: Start,
    signals: Signals,
    progress: Progress,
    root: Option<ProcessIdentity>,
    was_running: bool,
    log: PathBuf,
    /// Record that is updated beside the load, while others borrow the server.
    cleanup: RefCell<CleanupRecord>,
    ended: bool,
}

pub(super) fn begin(context: &Context<'_>) -> Result<ServerSession> {
    let port = local_port(context.sky.facts.selects_port, env::text(env::LOCAL_PORT));
    let url = Url::parse(&format!("http://127.0.0.1:{port}")).context("composing the address")?;
    let home = env::path("HOME").context("finding the home directory: HOME is not set")?;
    let log = home.join(".sky/api_server/server.log");
    let before = running(context, port, &url)?;
    let was_running = before.is_some();
    let cleanup = CleanupRecord::create(context, None, before.clone())?;
    let start = before.unwrap_or(Start { port, options: Vec::new() });
    let sky = &context.sky.sky;
    let step = context.progress.step(format!(
        "Restarting your API server (SkyPilot {}, port {port})",
        context.sky.facts.version
    ));
    // From here on, dropping the guard restores a server that was running and removes any other.
    let mut server = SystemServer {
        run: context.run.clone(),
        sky: sky.clone(),
        can_stop: context.sky.facts.selects_port,
        start,
        signals: context.signals.clone(),
        progress: context.progress,
        root: None,
        was_running,
        log: log.clone(),
        cleanup: RefCell::new(cleanup),
        ended: false,
    };
    let cancellation = Cancellation::OnInterrupt(context.signals);
    launch::run_sky(sky, &["api", "stop"], &environment_of_stop(), cancellation)?;
    let mut environment = shell_environment();
    // The server inherits the marker, by which its orphaned processes are found.
    let marker = (env::SERVER_OF_RUN.to_owned(), context.run.id().to_string());
    environment.set.push(marker);
    step.update("sky api start");
    let started = launch::run_sky(sky, &server.start.arguments(), &environment, cancellation);
    launch::accept_slow_start(started, port, &log)?;
    let died = launch::exit_check(port);
    let health = launch::wait_until_ready(&url, &log, context, &step, died)?;
    let root = api_servers::main_process(port)?
        .context("finding the main process of the server, which responds")?;
    server.root = Some(root);
    server.cleanup.get_mut().add([root])?;
    let facts = facts::of_external(&url, context)?;
    step.done(format!("ready, {root}"));
    Ok(ServerSession {
        server: super::server_under_test(health, Some(root), launch::worker_counts(&log), facts),
        environment: recorded(),
        addresses: Some(Addresses { root, api_port: port, queue_port: ports::queue_port(port) }),
        metrics: super::metrics_of_url(context.plan),
        client: ClientSettings {
            endpoint: url,
            sky: sky.clone(),
            variables: proxies::exceptions_of_shell()
                .into_iter()
                .chain(super::client_variables(context))
                .collect(),
            without: vec![env::ENDPOINT.to_owned()],
            inherits: Inherited::All,
        },
        kind: Kind::System(Box::new(server)),
    })
}

/// Port of the local server of a SkyPilot that selects a port, by its variable `selected`, or does
/// not.
fn local_port(selects_port: bool, selected: Option<String>) -> u16 {
    let selected = selected.filter(|_| selects_port).and_then(|port| port.parse().ok());
    selected.unwrap_or(ports::DEFAULT_API_PORT)
}

/// Usage error of a SkyPilot whose `sky api stop` would stop other servers than the one on this
/// port, unless `--yes` permits it.
fn unconfirmed_stop_of_others(context: &Context<'_>, port: u16) -> Result<Option<String>> {
    if context.sky.facts.selects_port || context.yes {
        return Ok(None);
    }
    let servers = api_servers::api_servers()?.into_iter().filter(|server| server.port != port);
    let others: Vec<String> =
        servers.map(|server| format!("port {} ({})", server.port, server.root)).collect();
    Ok((!others.is_empty()).then(|| {
        format!(
            "--server system: `sky api stop` of SkyPilot {} stops every API server of this machine, \
             also on {}\n  hint: stop them yourself, or pass --yes to lose them",
            context.sky.facts.version,
            others.join(", ")
        )
    }))
}

/// Variables of the shell that are not passed on. With the endpoint, `sky` would use another
/// server than the local one.
fn withheld() -> impl Iterator<Item = &'static str> {
    env::SCENARIO_ONLY.into_iter().chain([env::ENDPOINT])
}

/// Shell's environment, with loopback addresses exempt from proxies.
fn shell_environment() -> CommandEnvironment {
    CommandEnvironment {
        inherited: None,
        unset: withheld().map(str::to_owned).collect(),
        requested: Vec::new(),
        set: proxies::exceptions_of_shell(),
        directory: PathBuf::from("/"),
        group: None,
    }
}

/// Shell's environment for `sky api stop`, without usage reports. A start has none of its own: its
/// server would inherit the variable, and keep it after the run.
fn environment_of_stop() -> CommandEnvironment {
    let mut environment = shell_environment();
    environment.set.push((env::NO_USAGE.to_owned(), "1".to_owned()));
    environment
}

/// Variables of a server that is started in the [`shell_environment`].
fn variables_of_start() -> Variables {
    let mut variables: Variables = env::all().into_iter().collect();
    variables.retain(|name, _| withheld().all(|withheld| name != withheld));
    let exceptions = proxies::exceptions_of_shell().into_iter();
    variables.extend(exceptions.map(|(name, value)| (name.into(), value.into())));
    variables
}

/// Record of the names of variables that the server inherits from the shell.
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

/// Start of the server that runs on this port, for its restart; `None` without one. Whatever the
/// run would stop, change or abort is a usage error.
fn running(context: &Context<'_>, port: u16, url: &Url) -> Result<Option<Start>> {
    let mut refusals: Vec<String> =
        unconfirmed_stop_of_others(context, port)?.into_iter().collect();
    let start = match api_servers::main_process(port)? {
        Some(root) => Some(Start { port, options: restarted(context, root, url, &mut refusals)? }),
        None => None,
    };
    if refusals.is_empty() { Ok(start) } else { Err(UsageErrors(refusals).into()) }
}

/// Options for the restart of the server with this main process. Adds whatever the restart would
/// change or abort to the `refusals`.
fn restarted(
    context: &Context<'_>,
    root: ProcessIdentity,
    url: &Url,
    refusals: &mut Vec<String>,
) -> Result<Vec<String>> {
    let running = Running::of(root)?;
    let options = running.options().unwrap_or_else(|options| {
        refusals.push(format!(
            "--server system: your server has `{options}`, with which `sky api start` cannot start \
             it again\n  hint: stop it before the load, and start it again afterwards"
        ));
        Vec::new()
    });
    match running.changes(&variables_of_start()) {
        None => refusals.push(format!(
            "--server system: the variables of your server ({root}) cannot be read, to start it \
             again with them\n  hint: run skyload as the user who started it"
        )),
        Some(Changes { settings, others }) => {
            if !settings.is_empty() {
                refusals.push(format!(
                    "--server system: your server has other variables than this shell, and a \
                     restart would change them: {}\n  hint: export them here as the server has \
                     them ({root}), or stop it before the load and start it again afterwards",
                    settings.join(", ")
                ));
            }
            if !others.is_empty() {
                context.progress.note(format!(
                    "Your server gets this shell's variables, which are different: {}",
                    others.join(", ")
                ));
            }
        }
    }
    refusals.extend(unconfirmed_restart(context, url)?);
    Ok(options)
}

/// Usage error of a restart that would abort running requests, unless `--yes` permits it.
fn unconfirmed_restart(context: &Context<'_>, url: &Url) -> Result<Option<String>> {
    let in_flight = match health::requests_in_flight(url, context.signals, &context.credentials)? {
        Ok(rows) => rows,
        // A server that responds with an error may have running requests that it does not list.
        Err(failure) if failure.status.is_some() && !context.yes => {
            return Ok(Some(format!(
                "--server system: cannot list the running requests on your server, which a restart \
                 would abort: {}\n  hint: pass --yes to restart anyway",
                context.credentials.hide_in(&failure.to_string())
            )));
        }
        Err(failure) if failure.status.is_some() => {
            let why = context.credentials.hide_in(&failure.to_string());
            context
                .progress
                .note(format!("Cannot list the running requests on your server: {why}"));
            Vec::new()
        }
        // A server that does not respond has no requests to abort.
        Err(failure) => {
            let why = context.credentials.hide_in(&failure.to_string());
            context.progress.note(format!("Your server does not respond ({why})"));
            return Ok(None);
        }
    };
    context.progress.note(
        "Restarting your API server deletes its list of requests and their logs; clusters, jobs and \
         settings stay",
    );
    if in_flight.is_empty() || context.yes {
        return Ok(None);
    }
    let names: Vec<&str> = in_flight.iter().map(|row| row.name.as_str()).take(5).collect();
    Ok(Some(format!(
        "--server system: restarting would abort {} on your server: {}{}\n  hint: \
         wait for them, or pass --yes to abort them",
        counted(in_flight.len(), "running request"),
        names.join(", "),
        if in_flight.len() > names.len() { ", .." } else { "" }
    )))
}

impl SystemServer {
    /// Records the server's semaphores, for the cleanup.
    pub(super) fn note_semaphores(&self) -> Result<()> {
        self.cleanup.borrow_mut().note_semaphores()
    }

    /// Leaves the server running if it was running before the run, and stops it otherwise. A
    /// server that was started by others during the run stays.
    pub(super) fn finish(mut self, signals: &Signals) -> Result<StopOutcome> {
        // An error waits for the end: a full disk must not keep the server from its former state.
        let saved = launch::save_log_tail(&self.log, &self.run.server_log_tail());
        let is_alive = self.root.is_some_and(ProcessIdentity::is_alive);
        let outcome = if self.was_running && is_alive {
            self.cleanup.get_mut().delete()?;
            StopOutcome::NoStop
        } else if !self.can_stop || api_servers::is_replaced(self.root, self.start.port)? {
            // Servers that somebody has started meanwhile are not the run's to stop.
            self.cleanup.get_mut().clean_up()?;
            self.restore();
            StopOutcome::NoStop
        } else {
            let outcome = self.cleanup.get_mut().stop_and_clean_up(is_alive, || {
                let cancellation = Cancellation::OnNewInterrupt(signals);
                launch::run_sky(&self.sky, &["api", "stop"], &environment_of_stop(), cancellation)
            })?;
            self.restore();
            outcome
        };
        // After an error so far, Drop restores or cleans up.
        self.ended = true;
        saved?;
        Ok(outcome)
    }

    /// Starts the server again if it was running before the run and is gone.
    fn restore(&self) {
        let port = self.start.port;
        let is_gone = || api_servers::main_process(port).is_ok_and(|main| main.is_none());
        if !self.was_running || !is_gone() {
            return;
        }
        // An earlier Ctrl-C ended the run; only a new one cancels this start.
        self.signals.acknowledge();
        let step = self.progress.step("Starting your API server again");
        let cancellation = Cancellation::OnNewInterrupt(&self.signals);
        let start = self.start.arguments();
        match launch::run_sky(&self.sky, &start, &shell_environment(), cancellation) {
            Ok(()) => step.done("started"),
            Err(error) => step.done(format!("failed, your server is not running: {error:#}")),
        }
    }
}

impl Drop for SystemServer {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        if self.was_running {
            self.restore();
            _ = self.cleanup.get_mut().delete();
        } else {
            _ = self.cleanup.get_mut().clean_up();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_local_server_is_selected_only_where_skypilot_does() {
        let port = |selects_port, text: &str| local_port(selects_port, Some(text.to_owned()));
        assert_eq!(port(true, "46601"), 46_601);
        assert_eq!(port(true, "http"), ports::DEFAULT_API_PORT);
        assert_eq!(port(false, "46601"), ports::DEFAULT_API_PORT);
        assert_eq!(local_port(true, None), ports::DEFAULT_API_PORT);
    }
}
