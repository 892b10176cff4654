//! Fake API server for one test, with all its processes killed at the end.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tempfile::TempDir;

use crate::executable::executable;
use crate::http;
use crate::ports::free_port;
use crate::procfs::{self, Process};
use crate::settings::Settings;

/// Time limit of a start, without the delays that settings add.
const READY_TIMEOUT: Duration = Duration::from_secs(20);
/// Log line of a server that has bound its port.
const STARTED: &str = "Application startup complete.";
/// Number of attempts to start, since another process may take the ports in between.
const ATTEMPTS: usize = 5;

/// Running fake API server with a HOME of its own. Dropping it kills all its processes.
#[derive(Debug)]
pub struct FakeServer {
    home: TempDir,
    port: u16,
    metrics_port: u16,
    pid: u32,
}

impl FakeServer {
    /// Starts a server with these environment variables, among them settings (see
    /// [`crate::settings`]), and waits until the server is healthy.
    ///
    /// # Errors
    ///
    /// When the server does not become healthy; the message contains the server's log.
    pub fn start(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_under(&[], variables)
    }

    /// Starts a server like [`Self::start`] in deploy mode, as `sky api start --deploy` does.
    ///
    /// # Errors
    ///
    /// See [`Self::start`].
    pub fn start_deployed(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_with(&[], &["--deploy", "--host=0.0.0.0"], variables)
    }

    /// Starts a server like [`Self::start`], as a child of `wrapper`, which gets the server's
    /// command line as further arguments: `["timeout", "600"]`. [`Self::pid`] is then the
    /// pid of the wrapper.
    ///
    /// # Errors
    ///
    /// See [`Self::start`].
    pub fn start_under(wrapper: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_with(wrapper, &["--host=127.0.0.1"], variables)
    }

    fn start_with(
        wrapper: &[&str],
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::read(owned)?;
        let timeout = READY_TIMEOUT + settings.not_ready;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let server = Self::spawn(wrapper, options, variables)?;
            match server.wait_until_healthy(timeout) {
                Ok(()) => return Ok(server),
                Err(error) if server.log().contains("already in use") => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.context("no attempt was made")?)
    }

    /// URL of the API: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// URL of the metrics, which a server has that was started with
    /// `SKY_API_SERVER_METRICS_ENABLED=true` and a `PROMETHEUS_MULTIPROC_DIR`.
    pub fn metrics_url(&self) -> String {
        format!("http://127.0.0.1:{}/metrics", self.metrics_port)
    }

    /// Port of the API.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Pid of the main process at the start. After `FAKE_SKY_REPLACE_AFTER_MS` the main
    /// process is another one: see [`Self::main`].
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Main process on the port now.
    pub fn main(&self) -> Option<Process> {
        self.processes().into_iter().find(|process| process.is_server_on(self.port))
    }

    /// HOME of the instance.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Environment variables by which `sky` and other clients find this server.
    pub fn client_env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HOME", self.home().display().to_string()),
            ("SKYPILOT_API_SERVER_LOCAL_PORT", self.port.to_string()),
            ("SKYPILOT_DISABLE_LOCAL_API_SERVER", "1".to_owned()),
        ]
    }

    /// Names of this process's `SKYPILOT_*` variables that a client of this server must not
    /// inherit: the shell that runs the tests may be set up for another server.
    pub fn variables_to_unset(&self) -> Vec<String> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let client_env = self.client_env();
        let is_set = |name: &String| client_env.iter().any(|(set, _)| set == name);
        names.filter(|name| name.starts_with("SKYPILOT_") && !is_set(name)).collect()
    }

    /// Command that runs `sky` as a client of this server, without inherited `SKYPILOT_*`
    /// variables.
    pub fn client(&self) -> Command {
        let mut command = Command::new(executable());
        for name in self.variables_to_unset() {
            command.env_remove(name);
        }
        command.envs(self.client_env());
        command
    }

    /// Log of the server so far.
    pub fn log(&self) -> String {
        fs::read_to_string(log_path(self.home())).unwrap_or_default()
    }

    /// Processes of the instance, orphans included.
    pub fn processes(&self) -> Vec<Process> {
        processes_of(self.home())
    }

    /// Executors of both queues that have their title.
    pub fn executors(&self) -> Vec<Process> {
        let titled = |process: &Process| process.command_line.starts_with("SkyPilot:executor:");
        self.processes().into_iter().filter(titled).collect()
    }

    /// Kills every process of the instance and removes its HOME.
    ///
    /// # Errors
    ///
    /// When a process survives SIGKILL.
    pub fn finish(self) -> anyhow::Result<()> {
        kill_instance(self.home())?;
        // Dropping `self` removes the directory; there is nothing left to kill.
        Ok(())
    }

    fn spawn(
        wrapper: &[&str],
        options: &[&str],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("fake-sky-").tempdir()?;
        let (port, metrics_port) = (free_port()?, free_port()?);
        let log_path = log_path(home.path());
        fs::create_dir_all(log_path.parent().unwrap_or(home.path()))?;
        let log = File::create(&log_path)?;
        // The real server's command line begins with its Python interpreter.
        let program = home.path().join("python");
        symlink(executable(), &program)?;
        let mut command = match wrapper {
            [] => Command::new(&program),
            [wrapper, arguments @ ..] => {
                let mut command = Command::new(wrapper);
                command.args(arguments).arg(&program);
                command
            }
        };
        // The shell that runs the tests may have settings for another server.
        for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
            if name.starts_with("SKYPILOT_") || name.starts_with("SKY_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(["-m", "sky.server.server"])
            .args(options)
            .args([format!("--port={port}"), format!("--metrics-port={metrics_port}")])
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("SKYPILOT_API_SERVER_LOCAL_PORT", port.to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C at the terminal must only reach the test, which then kills the server.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let pid = child.id();
        // Reap the server when it exits. The real one is a child of init, which reaps it,
        // so a test must not find a zombie here either.
        thread::spawn(move || child.wait());
        Ok(Self { home, port, metrics_port, pid })
    }

    fn wait_until_healthy(&self, timeout: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            // A healthy response alone is not enough: another test's server may have taken
            // the port in between.
            if self.log().contains(STARTED) && http::is_healthy(&self.url()) {
                return Ok(());
            }
            if Process::look_up(self.pid).is_none() {
                bail!("the fake server exited during startup; log:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("the fake server was not healthy after {timeout:?}; log:\n{}", self.log())
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        // For tests that fail or panic; `finish` reports errors.
        _ = kill_instance(self.home());
    }
}

/// Processes that were started with this HOME, orphans included, except this process.
///
/// `home` must be that of a fake instance, which no other process uses.
pub fn processes_of(home: &Path) -> Vec<Process> {
    let assignment = format!("HOME={}", home.display());
    let mut processes = procfs::all();
    processes.retain(|process| {
        process.pid != std::process::id() && process.was_started_with(&assignment)
    });
    processes
}

/// Kills every process of the instance with this HOME.
///
/// # Errors
///
/// When a process still runs after 2 s of attempts.
pub fn kill_instance(home: &Path) -> anyhow::Result<()> {
    // Repeat: a process may have started another one just before it was killed.
    for _ in 0..200 {
        let remaining = processes_of(home);
        if remaining.is_empty() {
            return Ok(());
        }
        remaining.iter().for_each(|process| procfs::kill_hard(process.pid));
        thread::sleep(Duration::from_millis(10));
    }
    bail!("processes of the fake instance in {} still run after SIGKILL", home.display())
}

fn log_path(home: &Path) -> PathBuf {
    home.join(".sky/api_server/server.log")
}
