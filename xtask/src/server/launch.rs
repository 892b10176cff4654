//! Starting an API server and waiting until it answers.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use skyload::api::Health;
use skyload::environment::WorkerCounts;
use url::Url;

use super::health;
use crate::progress::Step;
use crate::signals::Signals;

/// A start that takes longer has failed. It takes 5 to 10 s on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(180);

/// Variables that commands of one server are given, and those taken from them.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables {
    pub(super) set: Vec<(String, String)>,
    pub(super) unset: Vec<String>,
}

impl Variables {
    fn apply(&self, command: &mut Command) {
        for name in &self.unset {
            command.env_remove(name);
        }
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
    }
}

/// Runs a `sky` command that must succeed. In a process group of its own: a Ctrl-C
/// must not cut it off half-way.
pub(super) fn sky_ok(program: &Path, args: &[&str], variables: &Variables) -> Result<()> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).process_group(0);
    variables.apply(&mut command);
    let words = args.join(" ");
    let output =
        command.output().with_context(|| format!("running `{} {words}`", program.display()))?;
    if !output.status.success() {
        bail!(
            "`sky {words}` failed ({}):\n{}",
            output.status,
            last_lines(&[&output.stdout[..], &output.stderr[..]].concat(), 15)
        );
    }
    Ok(())
}

/// Starts the server's module directly, for what `sky api start` cannot do: deploy
/// mode on loopback, and another port with old releases. Like `sky api start`, it
/// leaves the server in a session of its own, with its log in the usual place.
pub(super) fn module(
    python: &Path,
    args: &[String],
    log: &Path,
    variables: &Variables,
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
    variables.apply(&mut command);
    command.spawn().context("starting the API server")
}

/// Waits until the server at `url` answers; gives up at once when `died` says so.
pub(super) fn wait_until_ready(
    url: &Url,
    log: &Path,
    signals: &Signals,
    step: &Step,
    mut died: impl FnMut() -> bool,
) -> Result<Health> {
    let end = Instant::now() + READY_WITHIN;
    loop {
        signals.check()?;
        let last = match health::health(url, signals)? {
            Ok(health) => return Ok(health),
            Err(failure) => failure.to_string(),
        };
        if died() {
            bail!("the API server ended while it started; the end of its log:\n{}", tail(log, 15));
        }
        if Instant::now() >= end {
            bail!(
                "the API server was not ready within {}; last: {last}\nthe end of its log:\n{}",
                humantime::format_duration(READY_WITHIN),
                tail(log, 15)
            );
        }
        step.update("waiting for its first answer");
        std::thread::sleep(Duration::from_millis(200));
    }
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
