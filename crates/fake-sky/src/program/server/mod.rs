//! Main process of the API server: startup, ports, child processes.
//!
//! `middleware` and `routes` handle calls, and build responses with `replies` and `stream`.
//! `endpoints` is the table of calls that create a request. `app` runs a request on a `pool`
//! of executors, and `completion` decides its outcome. `requests` stores all requests,
//! `cloud` what they launched. A single thread runs all of it, like SkyPilot's event loop.

mod app;
mod call_fault;
mod cloud;
mod completion;
mod endpoints;
mod follow;
mod infrastructures;
mod log;
mod metrics;
mod middleware;
mod outcome;
mod pool;
mod query;
mod replies;
mod request;
mod requests;
mod routes;
mod server_fault;
mod stream;
mod submission;
mod task;
mod upload_calls;
mod uploads;
mod work;

use std::io;
use std::net::{IpAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fake_sky::settings::Settings;
use fake_sky::{memory, procfs, queue_port, title};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::setsid;

use self::app::App;
use self::server_fault::ServerFaults;
use super::children::{self, RESOURCE_TRACKER, SERVER_MIB, SPAWN_MAIN};
use super::role::{self, Role, StartMode};

/// Number of web workers with `--deploy`.
const WEB_WORKERS: usize = 2;

/// Time limit of a successor for the ports of the replaced server to become free.
const PORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the server until it is killed or idle for too long.
pub(crate) fn run(mode: StartMode, arguments: &[String], settings: Settings) -> anyhow::Result<()> {
    title::set_process_name("python");
    if mode != StartMode::Foreground {
        setsid().context("leaving the parent's session")?;
    }
    log::advance_clock(settings.clock_ahead);
    raise_open_files();
    let address = Address::of(arguments)?;
    log::info("config.py:200", &sizing(&settings));
    if let Some(message) = &settings.exit_at_start {
        bail!("{message}");
    }
    std::fs::create_dir_all(request_logs()).context("creating the directory of request logs")?;
    let memory = memory::fill_to(SERVER_MIB);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server_faults = ServerFaults::new(arguments);
    let app = Arc::new(App::new(settings, server_faults));
    let ended = runtime.block_on(serve(app, mode, &address));
    drop(memory);
    // SkyPilot leaves them running; the stand-in leaves no processes after a test.
    for child in procfs::descendants_of(std::process::id()) {
        procfs::kill_hard(child.pid);
    }
    ended
}

async fn serve(app: Arc<App>, mode: StartMode, address: &Address) -> anyhow::Result<()> {
    let settings = app.settings.clone();
    children::spawn(Role::Idle, &RESOURCE_TRACKER, Stdio::null())?;
    start_queue_manager(mode, queue_port(address.port))?;
    log::info("executor.py:1441", "Request queues created");
    app.start_daemons();
    metrics::serve(&app.metrics, address.host, address.metrics_port);

    let idle = idle_for(Arc::clone(&app), settings.idle_exit);
    if settings.never_ready {
        idle.await;
        return Ok(());
    }
    tokio::time::sleep(settings.not_ready).await;
    let listener = bind(mode, address.host, address.port)?;
    if address.deploy {
        for _ in 0..WEB_WORKERS {
            let socket = Stdio::from(OwnedFd::from(listener.try_clone()?));
            children::spawn(Role::WebWorker, &SPAWN_MAIN, socket)?;
        }
    }
    // tokio's `from_std` expects a non-blocking socket.
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    log::info("on.py:62", "Application startup complete.");
    // No graceful shutdown: a client that stays connected must not delay the exit.
    tokio::select! {
        served = axum::serve(listener, routes::router(app)) => served.context("serving"),
        () = idle => Ok(()),
    }
}

/// Starts the process that holds the request queues. Its listening port identifies it.
fn start_queue_manager(mode: StartMode, port: u16) -> anyhow::Result<()> {
    let listener = bind(mode, IpAddr::from([127, 0, 0, 1]), port).with_context(|| {
        format!("SkyPilot API server fails to start as port {port} is already in use")
    })?;
    let socket = Stdio::from(OwnedFd::from(listener));
    children::spawn(Role::Idle, &SPAWN_MAIN, socket)?;
    Ok(())
}

fn bind(mode: StartMode, host: IpAddr, port: u16) -> anyhow::Result<TcpListener> {
    let deadline = Instant::now() + PORT_TIMEOUT;
    loop {
        match TcpListener::bind((host, port)) {
            Ok(listener) => return Ok(listener),
            Err(error) if may_retry(mode, &error) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error).with_context(|| format!("binding {host}:{port}")),
        }
    }
}

fn may_retry(mode: StartMode, error: &io::Error) -> bool {
    mode == StartMode::Successor && error.kind() == io::ErrorKind::AddrInUse
}

/// Raises the limit on open files to the hard limit, as SkyPilot does.
fn raise_open_files() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // With the lower limit, the server serves fewer connections.
        _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Waits until there was no call for `limit`.
async fn idle_for(app: Arc<App>, limit: Duration) {
    while app.idle() < limit {
        tokio::time::sleep((limit - app.idle()).max(Duration::from_millis(50))).await;
    }
}

/// Log line with the sizes of the executor pools, which skyload reads.
fn sizing(settings: &Settings) -> String {
    format!(
        "SkyPilot API server will start 1 server processes with {} background workers for long \
         requests and will allow at max {} short requests in parallel.",
        app::LONG_POOL,
        settings.short_pool + app::daemons(settings)
    )
}

fn request_logs() -> PathBuf {
    PathBuf::from(role::read("HOME").unwrap_or_default()).join(".sky/api_server/request_logs")
}

/// Address and mode of the server.
#[derive(Debug)]
struct Address {
    host: IpAddr,
    port: u16,
    metrics_port: u16,
    deploy: bool,
}

impl Address {
    /// Parses `--host H`, `--port N`, `--metrics-port N` and `--deploy`; `--host=H` is accepted as well.
    fn of(arguments: &[String]) -> anyhow::Result<Self> {
        let value_of = |name: &str| {
            let position = arguments.iter().position(|argument| argument == name);
            let joined = arguments.iter().find_map(|argument| {
                argument.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)
            });
            joined.or_else(|| arguments.get(position? + 1).cloned())
        };
        let host = match value_of("--host").as_deref() {
            None | Some("localhost") => IpAddr::from([127, 0, 0, 1]),
            Some(host) => host.parse().with_context(|| format!("--host={host}"))?,
        };
        let port = value_of("--port").unwrap_or_else(|| "46580".to_owned());
        let port = port.parse().with_context(|| format!("--port={port}"))?;
        let metrics_port = value_of("--metrics-port").unwrap_or_else(|| "9090".to_owned());
        let metrics_port =
            metrics_port.parse().with_context(|| format!("--metrics-port={metrics_port}"))?;
        Ok(Self {
            host,
            port,
            metrics_port,
            deploy: arguments.iter().any(|argument| argument == "--deploy"),
        })
    }
}
