//! A server of one's own for a test, and the certainty that it is gone after.

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

/// How long a start may take that no setting delays.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// What the log of a server says once the port is its own.
const STARTED: &str = "Application startup complete.";
/// How often a start is tried anew when its ports were taken meanwhile.
const ATTEMPTS: usize = 5;

/// A running fake API server in a HOME of its own; dropping it ends all of it.
#[derive(Debug)]
pub struct FakeServer {
    home: TempDir,
    port: u16,
    pid: u32,
}

impl FakeServer {
    /// Starts a server with these settings (see [`crate::settings`]) or any other
    /// environment variables, and returns when it is healthy.
    ///
    /// # Errors
    ///
    /// When it does not become healthy; the message carries its log.
    pub fn start(variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        Self::start_within(&[], variables)
    }

    /// The same below another program, which is called with the server's whole command
    /// line: `["timeout", "600"]`. It has [`Self::pid`] then.
    ///
    /// # Errors
    ///
    /// As for [`Self::start`].
    pub fn start_within(around: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings::read(owned)?;
        let within = READY_WITHIN + settings.not_ready;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let server = Self::spawn(around, variables)?;
            match server.wait_until_healthy(within) {
                Ok(()) => return Ok(server),
                Err(error) if server.log().contains("already in use") => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.context("no attempt was made")?)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port of the API.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The pid of the main process as it was started. A server that replaced
    /// itself has another one: see [`Self::main`].
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The main process that holds the port now.
    pub fn main(&self) -> Option<Process> {
        self.processes().into_iter().find(|process| process.is_server_on(self.port))
    }

    /// The HOME of the instance.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The environment in which `sky` (or any client) finds this server.
    pub fn client_env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HOME", self.home().display().to_string()),
            ("SKYPILOT_API_SERVER_LOCAL_PORT", self.port.to_string()),
            ("SKYPILOT_DISABLE_LOCAL_API_SERVER", "1".to_owned()),
        ]
    }

    /// Variables of this process's own environment that would lead a client of this server
    /// somewhere else: whoever runs the tests may use a SkyPilot of their own.
    pub fn not_for_clients(&self) -> Vec<String> {
        let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let given = self.client_env();
        let is_given = |name: &String| given.iter().any(|(given, _)| given == name);
        names.filter(|name| name.starts_with("SKYPILOT_") && !is_given(name)).collect()
    }

    /// A command of a client of this server: `sky` with nothing of SkyPilot's in its
    /// environment but what leads to the server.
    pub fn client(&self) -> Command {
        let mut command = Command::new(executable());
        for name in self.not_for_clients() {
            command.env_remove(name);
        }
        command.envs(self.client_env());
        command
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(log_path(self.home())).unwrap_or_default()
    }

    /// Every process of the instance, orphans included.
    pub fn processes(&self) -> Vec<Process> {
        processes_of(self.home())
    }

    /// The executors that carry their title, of both queues.
    pub fn executors(&self) -> Vec<Process> {
        let titled = |process: &Process| process.command_line.starts_with("SkyPilot:executor:");
        self.processes().into_iter().filter(titled).collect()
    }

    /// Ends every process of the instance and removes its HOME.
    ///
    /// # Errors
    ///
    /// When a process survives, or the directory cannot be removed.
    pub fn finish(self) -> anyhow::Result<()> {
        kill_instance(self.home())?;
        // `Drop` finds nothing left to kill, and the directory goes with it.
        Ok(())
    }

    fn spawn(around: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let home = tempfile::Builder::new().prefix("fake-sky-").tempdir()?;
        let port = free_port()?;
        let log_path = log_path(home.path());
        fs::create_dir_all(log_path.parent().unwrap_or(home.path()))?;
        let log = File::create(&log_path)?;
        // Whatever starts it, it has the name of an interpreter.
        let program = home.path().join("python");
        symlink(executable(), &program)?;
        let mut command = match around {
            [] => Command::new(&program),
            [outer, arguments @ ..] => {
                let mut command = Command::new(outer);
                command.args(arguments).arg(&program);
                command
            }
        };
        let mut child = command
            .args(["-m", "sky.server.server", "--host=127.0.0.1"])
            .arg(format!("--port={port}"))
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("SKYPILOT_API_SERVER_LOCAL_PORT", port.to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A Ctrl-C at the terminal is for the test, which ends us in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let pid = child.id();
        // The real server is a child of init, which reaps it: a test that
        // watches it die must not find a zombie.
        thread::spawn(move || child.wait());
        Ok(Self { home, port, pid })
    }

    fn wait_until_healthy(&self, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            // Not by the answer alone: it may be another test's server that has
            // taken the port in between.
            if self.log().contains(STARTED) && http::is_healthy(&self.url()) {
                return Ok(());
            }
            if Process::look_up(self.pid).is_none() {
                bail!("the fake server exited at its start; its log:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("the fake server was not healthy after {within:?}; its log:\n{}", self.log())
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        // Backstop: a test that wants to know calls `finish`.
        _ = kill_instance(self.home());
    }
}

/// Every process that was started with this HOME, orphans included.
///
/// Only to be asked about a HOME that nothing else uses: a fake instance's.
pub fn processes_of(home: &Path) -> Vec<Process> {
    let assignment = format!("HOME={}", home.display());
    let mut processes = procfs::all();
    processes.retain(|process| {
        process.pid != std::process::id() && process.was_started_with(&assignment)
    });
    processes
}

/// Ends every process of the instance whose HOME this is.
///
/// # Errors
///
/// When a process is still there after many attempts.
pub fn kill_instance(home: &Path) -> anyhow::Result<()> {
    // A process may have been starting another one while it was killed.
    for _ in 0..200 {
        let left = processes_of(home);
        if left.is_empty() {
            return Ok(());
        }
        left.iter().for_each(|process| procfs::kill_hard(process.pid));
        thread::sleep(Duration::from_millis(10));
    }
    bail!("processes of the fake instance in {} survive SIGKILL", home.display())
}

fn log_path(home: &Path) -> PathBuf {
    home.join(".sky/api_server/server.log")
}
