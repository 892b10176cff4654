//! Starting an API server and waiting until it answers.

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
use skyload::poll;
use skyload::record::environment::WorkerCounts;
use url::Url;

use super::{Context, api_servers, health};

/// A start or a stop that takes longer has failed, unless another limit is asked for. A
/// start takes 5 to 10 s on an idle machine.
const WITHIN: Duration = Duration::from_secs(180);

/// How long a start or a stop may take.
fn within() -> Result<Duration> {
    let Some(text) = env::text(env::SERVER_WITHIN) else { return Ok(WITHIN) };
    humantime::parse_duration(&text)
        .with_context(|| format!("{}: `{text}` is no duration, such as `300s`", env::SERVER_WITHIN))
}

/// What is wrong with the limit that is asked for, before anything is started.
pub(crate) fn mistake_in_limit() -> Option<String> {
    within().err().map(|error| error.to_string())
}

/// Whose Ctrl-C ends a command before its limit.
#[derive(Clone, Copy)]
pub(super) enum Patience<'a> {
    /// Anybody's, also one that came before.
    UntilInterrupted(&'a Signals),
    /// Only one that came since the last was taken note of: a run that was interrupted is
    /// ended in good order, too.
    UntilInterruptedAgain(&'a Signals),
}

impl Patience<'_> {
    fn is_over(self) -> bool {
        match self {
            Self::UntilInterrupted(signals) => signals.interrupted(),
            Self::UntilInterruptedAgain(signals) => signals.interrupted_again(),
        }
    }
}

/// What commands of one server find in their environment, and where they are started.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// What they inherit of the shell's variables; `None` for all of them.
    pub(super) inherited: Option<Environment>,
    /// Variables that are taken from them.
    pub(super) unset: Vec<String>,
    /// Variables that they are given on purpose (`--server-env`).
    pub(super) asked: environment::Variables,
    /// Variables that they need.
    pub(super) set: Vec<(String, String)>,
    /// Their working directory, where Python looks for packages: hence not the user's.
    pub(super) folder: PathBuf,
}

impl Surroundings {
    fn apply(&self, command: &mut Command) {
        if let Some(inherited) = &self.inherited {
            inherited.apply(command);
        }
        for name in &self.unset {
            command.env_remove(name);
        }
        command
            .envs(self.asked.iter().map(|(name, value)| (name, value)))
            .envs(self.set.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder);
    }
}

/// Runs a `sky` command that must succeed, and within a limit. What it has started by
/// then is left to custody.
pub(super) fn sky_ok(
    program: &Path,
    args: &[&str],
    surroundings: &Surroundings,
    patience: Patience<'_>,
) -> Result<()> {
    let within = within()?;
    let mut command = Command::new(program);
    command.args(args);
    surroundings.apply(&mut command);
    let words = args.join(" ");
    let ran = command::run(&mut command, within, || patience.is_over())
        .with_context(|| format!("running `{} {words}`", program.display()))?;
    match ran {
        Ran::Ended(status, _) if status.success() => Ok(()),
        Ran::Ended(status, output) => {
            bail!("`sky {words}` failed ({status}):\n{}", last_lines(&output, 15))
        }
        Ran::TimedOut(output) => {
            Err(TimedOut { words, within, said: last_lines(&output, 15) }.into())
        }
        Ran::Interrupted => Err(Interrupted.into()),
    }
}

/// A `sky` command did not end within its limit.
#[derive(Debug)]
struct TimedOut {
    words: String,
    within: Duration,
    said: String,
}

impl std::fmt::Display for TimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let within = humantime::format_duration(self.within);
        let limit = env::SERVER_WITHIN;
        write!(f, "`sky {}` did not end within {within} ({limit} changes that)", self.words)?;
        if self.said.is_empty() { Ok(()) } else { write!(f, ":\n{}", self.said) }
    }
}

impl std::error::Error for TimedOut {}

/// What came of `sky api start`. It gives up after a minute, and its server goes on: on a
/// machine under pressure that one is waited for as long as any other.
pub(super) fn excuse_slow_start(started: Result<()>, port: u16, log: &Path) -> Result<()> {
    let Err(error) = started else { return Ok(()) };
    if error.is::<Interrupted>() {
        return Err(error);
    }
    if error.is::<TimedOut>() || !is_there(port)? {
        return Err(error.context(format!("the end of the server's log:\n{}\n", tail(log, 15))));
    }
    Ok(())
}

fn is_there(port: u16) -> Result<bool> {
    Ok(api_servers::main_process(port)?.is_some())
}

/// Whether a server that `sky api start` has left behind is gone, asked again and again:
/// a look at all processes takes time, so there is one a second.
pub(super) fn is_gone(port: u16) -> impl FnMut() -> bool {
    const EVERY: Duration = Duration::from_secs(1);
    let mut last = Instant::now();
    move || {
        if last.elapsed() < EVERY {
            return false;
        }
        last = Instant::now();
        // Nobody knows where a look fails.
        is_there(port).is_ok_and(|is_there| !is_there)
    }
}

/// Starts the server's module directly, for what `sky api start` cannot do: deploy
/// mode on loopback, and another port with old releases. Like `sky api start`, it
/// leaves the server in a session of its own, with its log in the usual place.
pub(super) fn module(
    python: &Path,
    args: &[String],
    log: &Path,
    surroundings: &Surroundings,
) -> Result<std::process::Child> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).context("creating the folder of the server's log")?;
    }
    let log = fs::File::create(log).context("creating the server's log")?;
    let mut command = Command::new(python);
    command
        .args(["-m", "sky.server.server"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("sharing the server's log")?)
        .stderr(log)
        .process_group(0);
    surroundings.apply(&mut command);
    command.spawn().context("starting the API server")
}

/// Waits until the server at `url` answers; gives up at once when `died` says so.
pub(super) fn wait_until_ready(
    url: &Url,
    log: &Path,
    context: &Context<'_>,
    step: &Step,
    mut died: impl FnMut() -> bool,
) -> Result<Health> {
    const EVERY: Duration = Duration::from_millis(200);
    let within = within()?;
    let mut last = String::new();
    let ready = poll::during(within, EVERY, || {
        context.signals.check()?;
        match health::health(url, context.signals, &context.credentials)? {
            Ok(health) => return Ok(Some(health)),
            Err(failure) => last = failure.to_string(),
        }
        if died() {
            bail!("the API server ended while it started; the end of its log:\n{}", tail(log, 15));
        }
        step.update("waiting for its first answer");
        Ok(None)
    })?;
    ready.with_context(|| {
        format!(
            "the API server was not ready within {}; last: {last}\nthe end of its log:\n{}",
            humantime::format_duration(within),
            tail(log, 15)
        )
    })
}

/// How many workers the server announced in its log.
pub(super) fn worker_counts(log: &Path) -> Option<WorkerCounts> {
    WorkerCounts::from_log(&fs::read_to_string(log).ok()?)
}

/// The last lines of a log.
pub(super) fn tail(log: &Path, lines: usize) -> String {
    match fs::read(log) {
        Ok(text) => last_lines(&text, lines),
        Err(error) => format!("  (`{}` cannot be read: {error})", log.display()),
    }
}

/// Keeps the end of a server's log in the run directory.
pub(super) fn keep_log(log: &Path, kept: &Path) -> Result<()> {
    const LINES: usize = 400;
    if log.exists() {
        fs::write(kept, tail(log, LINES) + "\n").context("keeping the end of the server's log")?;
    }
    Ok(())
}

fn last_lines(text: &[u8], lines: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
