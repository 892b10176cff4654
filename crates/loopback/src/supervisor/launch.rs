//! Start of the supervisor of an infra, and the wait until the infra is ready.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use host::signals::Signals;
use host::workspace::{Workspace, own_program};
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::poll::{self, Probe};

use super::{COMMAND, Daemon, NodesOptions};
use crate::record::Record;

/// Time limit for a start, which takes a few seconds on an idle machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Supervisor that was just started.
pub(crate) struct Launched {
    child: Child,
    /// Name of the infra in sentences.
    infra: &'static str,
    /// Names and logs of the supervisor and the daemons.
    logs: Vec<(String, PathBuf)>,
}

/// Starts the supervisor of the infra of `record`: this program with the command [`COMMAND`].
/// `variables` are the complete environment of the daemons.
pub(crate) fn launch(
    workspace: &Workspace,
    record: &Record,
    variables: Vec<(String, String)>,
    daemons: Vec<Daemon>,
) -> Result<Launched> {
    let own = ("supervisor".to_owned(), record.log("supervisor"));
    let logs = daemons.iter().map(|daemon| (daemon.name.clone(), daemon.log.clone()));
    let logs = [own].into_iter().chain(logs).collect();
    let options = NodesOptions {
        id: record.id.clone(),
        owner: record.owner,
        account: record.account,
        variables,
        daemons,
        figures: record.figures_file(),
        members: record.members_file(),
        folder: Some(record.folder.clone()),
        record: Some(record.file(workspace)),
    };
    let log = File::create(record.log("supervisor")).context("creating the supervisor's log")?;
    // No guard owns the supervisor: a persistent infra outlives this process.
    let child = Command::new(own_program()?)
        .arg(COMMAND)
        .arg(serde_json::to_string(&options).context("writing the supervisor's options")?)
        // Cleanup finds a supervisor by this even if it is in no record yet.
        .env(env::NODES_OF, &record.id)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("sharing the supervisor's log")?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting the supervisor of {}", record.name()))?;
    Ok(Launched { child, infra: record.name(), logs })
}

impl Launched {
    /// Pid and start time of the supervisor.
    pub(crate) fn identity(&self) -> Option<ProcessIdentity> {
        ProcessIdentity::of(self.child.id())
    }

    /// Waits until `state` says that the infra can be used.
    pub(crate) fn wait_until_ready(
        mut self,
        signals: &Signals,
        mut state: impl FnMut() -> Probe<()>,
    ) -> Result<()> {
        let mut last = String::new();
        let ready = poll::during(READY_WITHIN, Duration::from_millis(100), || {
            signals.check()?;
            match state() {
                Probe::Ready(()) => return Ok(Some(())),
                Probe::NotYet(text) => last = text,
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                bail!(
                    "the supervisor of {} exited during startup ({status}); last log lines:\n{}",
                    self.infra,
                    self.logs()
                );
            }
            Ok(None)
        })?;
        ready.with_context(|| {
            format!(
                "{} not ready after {} s; last state: {last}; last log lines:\n{}",
                self.infra,
                READY_WITHIN.as_secs(),
                self.logs()
            )
        })
    }

    /// Last lines of all logs, with a hint.
    fn logs(&self) -> String {
        const LINES: usize = 6;
        let mut text = String::new();
        for (name, path) in &self.logs {
            let log = fs::read(path).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(LINES)..] {
                text.push_str(&format!("    {name}: {line}\n"));
            }
        }
        text + "  hint: look at the lines of the daemon that exited first"
    }
}
