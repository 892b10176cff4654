//! Start of an API server, until its first response.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use host::environment::{self, Environment};
use host::process::command::{self, Ran};
use host::progress::Step;
use host::signals::{Interrupted, Signals};
use skyload::api::Health;
use skyload::env;
use skyload::limits::ServerGroup;
use skyload::poll;
use skyload::record::environment::WorkerCounts;
use url::Url;

use super::{Context, api_servers, health};

/// Time limit of a start or a stop, unless another one is set. A start takes 5 to 10 s on an idle
/// machine.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(180);

/// Time limit of a start or a stop.
fn timeout() -> Result<Duration> {
    let Some(text) = env::text(env::SERVER_WITHIN) else { return Ok(DEFAULT_TIMEOUT) };
    humantime::parse_duration(&text).with_context(|| {
        format!("{}: expected a duration, such as `300s`, got `{text}`", env::SERVER_WITHIN)
    })
}

/// Usage error of the time limit that is set in the environment, if it is malformed.
pub(crate) fn timeout_usage_error() -> Option<String> {
    timeout().err().map(|error| error.to_string())
}

/// Condition under which a command is cancelled before its time limit.
#[derive(Clone, Copy)]
pub(super) enum Cancellation<'a> {
    /// Any Ctrl-C, also an earlier one.
    OnInterrupt(&'a Signals),
    /// A Ctrl-C since the last one that was noted: a run that was interrupted still stops its
    /// server cleanly.
    OnNewInterrupt(&'a Signals),
}

impl Cancellation<'_> {
    fn is_requested(self) -> bool {
        match self {
            Self::OnInterrupt(signals) => signals.interrupted(),
            Self::OnNewInterrupt(signals) => signals.interrupted_again(),
        }
    }
}

/// Environment and working directory of the commands of one server.
#[derive(Clone, Debug)]
pub(super) struct CommandEnvironment {
    /// Inherited variables of the shell; `None` for all of them.
    pub(super) inherited: Option<Environment>,
    /// Names of inherited variables to remove.
    pub(super) unset: Vec<String>,
    /// Variables that the user requested (`--server-env`).
    pub(super) requested: environment::Variables,
    /// Variables that skyload sets.
    pub(super) set: Vec<(String, String)>,
    /// Working directory. Never the user's, since Python looks for packages there.
    pub(super) directory: PathBuf,
    /// Control group that commands enter; `None` for commands outside of any.
    pub(super) group: Option<ServerGroup>,
}

impl CommandEnvironment {
    /// Environment of commands that enter a control group.
    pub(super) fn inside(&self, group: Option<&ServerGroup>) -> Self {
        Self { group: group.cloned(), ..self.clone() }
    }

    /// Command that runs `program` in this environment.
    fn command(&self, program: &Path) -> Command {
        match &self.group {
            Some(group) => group.command(program),
            None => Command::new(program),
        }
    }

    fn apply(&self, command: &mut Command) {
        if let Some(inherited) = &self.inherited {
            inherited.apply(command);
        }
        for name in &self.unset {
            command.env_remove(name);
        }
        command
            .envs(self.requested.iter().map(|(name, value)| (name, value)))
            // Last, so that no variable of the user replaces one of skyload.
            .envs(self.set.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory);
    }
}

/// Runs a `sky` command that must succeed within the time limit. Processes that a failed command
/// has started are left to the cleanup.
pub(super) fn run_sky(
    program: &Path,
    args: &[&str],
    command_env: &CommandEnvironment,
    cancellation: Cancellation<'_>,
) -> Result<()> {
    let timeout = timeout()?;
    let mut command = command_env.command(program);
    command.args(args);
    command_env.apply(&mut command);
    let args = args.join(" ");
    let ran = command::run(&mut command, timeout, || cancellation.is_requested())
        .with_context(|| format!("running `{} {args}`", program.display()))?;
    match ran {
        Ran::Ended(status, _) if status.success() => Ok(()),
        Ran::Ended(status, output) => {
            bail!("`sky {args}` failed ({status}):\n{}", last_lines(&output, 15))
        }
        Ran::TimedOut(output) => {
            Err(TimedOut { args, timeout, output: last_lines(&output, 15) }.into())
        }
        Ran::Interrupted => Err(Interrupted.into()),
    }
}

/// Timeout of a `sky` command.
#[derive(Debug)]
struct TimedOut {
    args: String,
    timeout: Duration,
    output: String,
}

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let timeout = humantime::format_duration(self.timeout);
        let variable = env::SERVER_WITHIN;
        write!(f, "`sky {}` timed out after {timeout} (limit: {variable})", self.args)?;
        if self.output.is_empty() { Ok(()) } else { write!(f, ":\n{}", self.output) }
    }
}

impl std::error::Error for TimedOut {}

/// Accepts a failed `sky api start` whose server still runs. The command gives up after a minute
/// while its server goes on starting, as on a busy machine; the caller then waits for the server.
pub(super) fn accept_slow_start(started: Result<()>, port: u16, log: &Path) -> Result<()> {
    let Err(error) = started else { return Ok(()) };
    if error.is::<Interrupted>() {
        return Err(error);
    }
    if error.is::<TimedOut>() || !is_running(port)? {
        let log = tail(log, 15);
        return Err(error.context(format!("API server not started; last log lines:\n{log}\n")));
    }
    Ok(())
}

fn is_running(port: u16) -> Result<bool> {
    Ok(api_servers::main_process(port)?.is_some())
}

/// Check for the exit of a server that `sky api start` has started, to be called repeatedly.
/// Scans all processes at most once per second, since a scan is expensive.
pub(super) fn exit_check(port: u16) -> impl FnMut() -> bool {
    const INTERVAL: Duration = Duration::from_secs(1);
    let mut last = Instant::now();
    move || {
        if last.elapsed() < INTERVAL {
            return false;
        }
        last = Instant::now();
        // A failed scan proves no exit.
        is_running(port).is_ok_and(|is_running| !is_running)
    }
}

/// Starts the server's module directly, for what `sky api start` cannot do: deploy mode on the
/// loopback address, and a port in old releases. Detaches the server, marks its environment and
/// writes its log to the usual place, like `sky api start`.
pub(super) fn spawn_module(
    python: &Path,
    args: &[String],
    log: &Path,
    command_env: &CommandEnvironment,
) -> Result<std::process::Child> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).context("creating the directory of the server's log")?;
    }
    let log = fs::File::create(log).context("creating the server's log")?;
    let mut command = command_env.command(python);
    command
        .args(["-m", "sky.server.server"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("sharing the server's log")?)
        .stderr(log)
        .process_group(0);
    command_env.apply(&mut command);
    // Without this mark SkyPilot takes its own server for a client: it checks no permissions, reads
    // a client's configuration, and does not look for a database.
    command.env(env::IS_SERVER, "true");
    command.spawn().context("starting the API server")
}

/// Waits until the server at `url` responds, or fails as soon as `died` returns true.
pub(super) fn wait_until_ready(
    url: &Url,
    log: &Path,
    context: &Context<'_>,
    step: &Step,
    mut died: impl FnMut() -> bool,
) -> Result<Health> {
    const INTERVAL: Duration = Duration::from_millis(200);
    let timeout = timeout()?;
    let mut last = String::new();
    let ready = poll::during(timeout, INTERVAL, || {
        context.signals.check()?;
        match health::health(url, context.signals, &context.credentials)? {
            Ok(health) => return Ok(Some(health)),
            Err(failure) => last = failure.to_string(),
        }
        if died() {
            bail!("API server exited during startup; last log lines:\n{}", tail(log, 15));
        }
        step.update("waiting for the first response");
        Ok(None)
    })?;
    ready.with_context(|| {
        format!(
            "API server not ready after {}; last error: {last}\nlast log lines:\n{}",
            humantime::format_duration(timeout),
            tail(log, 15)
        )
    })
}

/// Numbers of workers that the server wrote to its log.
pub(super) fn worker_counts(log: &Path) -> Option<WorkerCounts> {
    WorkerCounts::from_log(&fs::read_to_string(log).ok()?)
}

/// Last lines of a log.
pub(super) fn tail(log: &Path, lines: usize) -> String {
    match fs::read(log) {
        Ok(text) => last_lines(&text, lines),
        Err(error) => format!("  (`{}` cannot be read: {error})", log.display()),
    }
}

/// Saves the last lines of a server's log to `target`.
pub(super) fn save_log_tail(log: &Path, target: &Path) -> Result<()> {
    const LINES: usize = 400;
    if log.exists() {
        fs::write(target, tail(log, LINES) + "\n").context("saving the end of the server's log")?;
    }
    Ok(())
}

fn last_lines(text: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_started_by_its_module_is_marked_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let (python, log) = (folder.path().join("python"), folder.path().join("server.log"));
        crate::testing::script(&python, "env");
        let command_env = CommandEnvironment {
            inherited: None,
            unset: Vec::new(),
            requested: vec![(env::IS_SERVER.into(), "false".into())],
            set: Vec::new(),
            directory: folder.path().to_owned(),
            group: None,
        };
        let mut child = spawn_module(&python, &[], &log, &command_env).unwrap();
        assert!(child.wait().unwrap().success());
        let variables = fs::read_to_string(log).unwrap();
        assert!(variables.lines().any(|line| line == "IS_SKYPILOT_SERVER=true"), "{variables}");
    }
}
