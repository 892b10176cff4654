//! `sky api start` and `sky api stop`. Like SkyPilot's, stop kills the servers on a port on
//! the whole machine, not only this client's.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use fake_sky::http;
use fake_sky::procfs::{self, Process};
use fake_sky::settings::Settings;
use fake_sky::title::THIS_PROGRAM;

use super::children::python;
use super::local_port::{PORT_VARIABLE, local_port};
use super::role::{self, Role, StartMode};

const LOG: &str = "~/.sky/api_server/server.log";

/// Arguments of `sky api start`.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Deploy mode: listens on all addresses, with web workers.
    #[arg(long)]
    deploy: bool,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Port to listen on.
    #[arg(long)]
    port: Option<u16>,
    /// Runs in the foreground.
    #[arg(long)]
    foreground: bool,
    /// Accepted and ignored.
    #[arg(long)]
    enable_basic_auth: bool,
}

/// Starts the server and waits until it is healthy; does nothing if it already is.
pub(crate) fn start(
    start: &Start,
    settings: &Settings,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let port = start.port.map_or_else(local_port, Ok)?;
    let url = format!("http://127.0.0.1:{port}");
    if !http::is_healthy(&url) {
        if start.foreground {
            return Err(server(start, port, StartMode::Foreground).exec())
                .context("executing the server");
        }
        thread::sleep(settings.start);
        let child = spawn(start, port)?;
        wait_until_healthy(child, &url, settings.start_timeout)?;
        writeln!(out, "✓ SkyPilot API server started.")?;
    }
    writeln!(out, "├── SkyPilot API server and dashboard: {url}")?;
    writeln!(out, "└── View API server logs at: {LOG}")?;
    Ok(ExitCode::SUCCESS)
}

/// Kills every server on this client's port and all their descendants, except the executors
/// that `FAKE_SKY_STOP_SPARES` leaves running. Orphans of a server that died before are not
/// descendants, and keep running.
pub(crate) fn stop(settings: &Settings, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let port = local_port()?;
    let mut targets = Vec::new();
    for server in procfs::all().into_iter().filter(|process| process.is_server_on(port)) {
        targets.extend(procfs::descendants_of(server.pid));
        targets.push(server);
    }
    if !targets.is_empty() {
        thread::sleep(settings.stop);
    }
    let mut spared = 0;
    targets.retain(|process| {
        let is_spared =
            spared < settings.stop_spares && process.command_line.starts_with("SkyPilot:executor:");
        spared += usize::from(is_spared);
        !is_spared
    });
    // In reverse order, the server first: it must not see its executors die, which would
    // fail their requests.
    for process in targets.iter().rev() {
        procfs::kill_hard(process.pid);
    }
    // A killed process holds its ports until it is gone, and the next start needs them.
    wait_until_gone(&targets);
    match targets.len() {
        0 => writeln!(out, "SkyPilot API server is not running.")?,
        _ => writeln!(out, "SkyPilot API server stopped.")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn spawn(start: &Start, port: u16) -> anyhow::Result<Child> {
    let directory = PathBuf::from(role::read("HOME").context("HOME is not set")?);
    let directory = directory.join(".sky/api_server");
    // SkyPilot deletes the requests of the previous server at each start.
    _ = fs::remove_dir_all(directory.join("request_logs"));
    fs::create_dir_all(&directory)?;
    let log = File::create(directory.join("server.log"))?;
    server(start, port, StartMode::Detached)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("starting the server")
}

fn server(start: &Start, port: u16, mode: StartMode) -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command.arg0(python()).args(["-m", "sky.server.server"]);
    if start.deploy {
        command.args(["--deploy", "--host=0.0.0.0"]);
    } else {
        command.arg(format!("--host={}", start.host));
    }
    command.arg(format!("--port={port}"));
    command.env(PORT_VARIABLE, port.to_string());
    command.envs(Role::Server(mode).variables());
    command
}

fn wait_until_healthy(mut server: Child, url: &str, timeout: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + timeout;
    while !http::is_healthy(url) {
        if server.try_wait()?.is_some() {
            bail!("SkyPilot API server process exited unexpectedly.\nView logs at: {LOG}");
        }
        if Instant::now() > deadline {
            bail!("Failed to start SkyPilot API server at {url}\nView logs at: {LOG}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn wait_until_gone(processes: &[Process]) {
    let deadline = Instant::now() + Duration::from_secs(5);
    let runs = |process: &Process| Process::look_up(process.pid).is_some();
    while processes.iter().any(runs) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
}
