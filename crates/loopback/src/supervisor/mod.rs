//! The parent of all node processes: `__nodes`, a process of its own.
//!
//! It is the subreaper of its descendants: however a node process makes itself a
//! daemon, it stays one of them. Hence ending all descendants ends all there is,
//! and what they used can be counted to the last process. It ends when it is told
//! to, when the process that asked for it is gone, or when a daemon ends.

mod autogroup;
mod exposure;
mod family;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use host::process::scan::end_repeatedly;
use host::signals::Signals;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid, getsid, setsid};
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::poll::{self, Probe, wait_until};
use skyload::record::nodes::NodeFigures;
use skyload::record::write_json;
use skyload::units::ByteSize;
use skyload::usage::Usage;

use super::account::Account;
use super::priority::NodePriority;
use autogroup::Lowered;
use family::Member;

/// How often it looks whether something has ended, or should.
const TICK: Duration = Duration::from_millis(50);
/// How often it counts.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// A daemon must have opened what shows that it is ready within this.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// What daemons have for an end in good order.
const GRACE: Duration = Duration::from_secs(2);
/// How often it is looked again for what is left of them.
const ROUNDS: usize = 100;

/// What it is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct NodesOptions {
    /// Marks all node processes, by `SKYLOAD_NODES_OF`.
    pub(super) id: String,
    /// The nodes end with this process; without one they stay.
    pub(super) owner: Option<ProcessIdentity>,
    /// Whom the daemons run as.
    pub(super) account: Account,
    /// All variables that they see.
    pub(super) variables: Vec<(String, String)>,
    /// In the order in which they are started.
    pub(super) daemons: Vec<Daemon>,
    /// Where it writes a `NodeFigures`.
    pub(super) figures: PathBuf,
    /// Where it writes who lives, so that leaked nodes can be found without it.
    pub(super) members: PathBuf,
    /// What it removes when its owner is gone.
    pub(super) folder: Option<PathBuf>,
    pub(super) record: Option<PathBuf>,
}

/// One daemon, which stays in the foreground.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Daemon {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    /// Its priority, and that of all its children, where it is not the usual one.
    pub(super) priority: Option<NodePriority>,
    pub(super) log: PathBuf,
    /// The next daemon is started once this file is there.
    pub(super) opens: Option<PathBuf>,
}

/// Why it ends.
enum Reason {
    Asked,
    OwnerGone,
    DaemonEnded(String),
}

/// The command by which a program that is started again is the supervisor.
pub const COMMAND: &str = "__nodes";

/// Runs as the supervisor that these options describe.
pub fn run(options: &str) -> Result<()> {
    let options: NodesOptions =
        serde_json::from_str(options).context("reading the supervisor's options")?;
    // Neither a Ctrl-C nor the end of a terminal is for the nodes. It fails only
    // where that is so already.
    _ = setsid();
    // Daemons and jobs are to find the same whoever runs skyload. Nothing secret of theirs
    // depends on it: their keys have modes of their own.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    set_child_subreaper(true).context("adopting the descendants")?;
    let signals = Signals::listen()?;
    let mut nodes = Nodes::new(options);
    let result = nodes.watch(&signals);
    nodes.end_all();
    let reason = result.inspect_err(|error| nodes.fail(format!("{error:#}")))?;
    match reason {
        Reason::Asked => nodes.count(),
        Reason::DaemonEnded(how) => {
            nodes.fail(how.clone());
            bail!("{how}")
        }
        Reason::OwnerGone => {
            if let Some(folder) = &nodes.options.folder {
                fs::remove_dir_all(folder).context("removing the infrastructure's folder")?;
            }
            if let Some(record) = &nodes.options.record {
                fs::remove_file(record).context("removing the infrastructure's record")?;
            }
            Ok(())
        }
    }
}

struct Nodes {
    options: NodesOptions,
    /// Daemons that were not buried yet: their pids are no others'.
    running: Vec<(Pid, String)>,
    figures: NodeFigures,
    exposed: BTreeSet<String>,
    lowered: Lowered,
}

impl Nodes {
    fn new(options: NodesOptions) -> Self {
        Self {
            options,
            running: Vec::new(),
            figures: NodeFigures::default(),
            exposed: BTreeSet::new(),
            lowered: Lowered::default(),
        }
    }

    /// Starts the daemons, then counts until it is time to end.
    fn watch(&mut self, signals: &Signals) -> Result<Reason> {
        for daemon in self.options.daemons.clone() {
            self.start(&daemon)?;
            if let Some(reason) = self.wait_for(&daemon, signals)? {
                return Ok(reason);
            }
        }
        loop {
            self.count()?;
            let reason = || anyhow::Ok(self.reason_to_end(signals));
            if let Some(reason) = poll::during(COUNT_EVERY, TICK, reason)? {
                return Ok(reason);
            }
        }
    }

    /// Waits until a daemon has opened what shows that it is ready, or there is a reason to
    /// end.
    fn wait_for(&mut self, daemon: &Daemon, signals: &Signals) -> Result<Option<Reason>> {
        let has_opened = || daemon.opens.as_ref().is_none_or(|file| file.exists());
        let waited = poll::during(READY_WITHIN, TICK, || {
            anyhow::Ok(match has_opened() {
                true => Some(None),
                false => self.reason_to_end(signals).map(Some),
            })
        });
        waited?.with_context(|| {
            format!("{} was not ready within {} s", daemon.name, READY_WITHIN.as_secs())
        })
    }

    fn start(&mut self, daemon: &Daemon) -> Result<()> {
        let starting = || format!("starting {} (`{}`)", daemon.name, daemon.program.display());
        let log = fs::File::options().create(true).append(true).open(&daemon.log);
        let log = log.with_context(starting)?;
        let mut command = match daemon.priority.map(NodePriority::starter) {
            Some((starter, args)) => {
                let mut command = Command::new(starter);
                command.args(args).arg(&daemon.program);
                command
            }
            None => Command::new(&daemon.program),
        };
        command
            .args(&daemon.args)
            .env_clear()
            .envs(self.options.variables.iter().map(|(name, value)| (name, value)))
            .env(env::NODES_OF, &self.options.id)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().with_context(starting)?)
            .stderr(log);
        if geteuid().is_root() {
            command.uid(self.options.account.uid).gid(self.options.account.gid);
        }
        let child = command.spawn().with_context(starting)?;
        let pid = Pid::from_raw(i32::try_from(child.id()).with_context(starting)?);
        self.running.push((pid, daemon.name.clone()));
        Ok(())
    }

    fn reason_to_end(&mut self, signals: &Signals) -> Option<Reason> {
        let ended = self.reap();
        if signals.interrupted() {
            Some(Reason::Asked)
        } else if self.options.owner.is_some_and(|owner| !owner.is_alive()) {
            Some(Reason::OwnerGone)
        } else {
            ended.map(Reason::DaemonEnded)
        }
    }

    /// Buries what has ended. Says so if a daemon was among them.
    fn reap(&mut self) -> Option<String> {
        let mut ended = None;
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            let how = match status {
                WaitStatus::Exited(_, code) => format!("ended with exit status {code}"),
                WaitStatus::Signaled(_, signal, _) => format!("was ended by {signal}"),
                _ => break,
            };
            let is_it = |(pid, _): &(Pid, String)| Some(*pid) == status.pid();
            if let Some(place) = self.running.iter().position(is_it) {
                let (_, name) = self.running.remove(place);
                ended.get_or_insert(format!("{name} {how}"));
            }
        }
        ended
    }

    fn count(&mut self) -> Result<()> {
        let members = family::descendants()?;
        let living: Vec<&Member> = members.iter().filter(|member| !member.zombie).collect();
        if let Some(priority) = self.options.daemons.iter().find_map(|daemon| daemon.priority)
            && let Ok(own) =
                u32::try_from(getsid(None).context("finding the own session")?.as_raw())
        {
            self.lowered.extend(living.iter().copied(), own, priority);
        }
        // A process that was buried between the two readings is in neither.
        let cpu = Usage::of_children().cpu + members.iter().map(|member| member.cpu).sum();
        self.figures.cpu = self.figures.cpu.max(cpu);
        self.figures.memory = living.iter().map(|member| member.memory).sum::<ByteSize>();
        self.figures.peak_memory = self.figures.peak_memory.max(self.figures.memory);
        self.figures.processes = living.len();
        let identities: Vec<ProcessIdentity> =
            living.iter().map(|member| member.identity).collect();
        self.exposed.extend(exposure::of(self.options.account.uid, &identities));
        self.figures.exposed = self.exposed.iter().cloned().collect();
        write_json(&self.options.members, &identities)?;
        write_json(&self.options.figures, &self.figures)?;
        Ok(())
    }

    /// Notes why the nodes are of no use any more.
    fn fail(&mut self, how: String) {
        self.figures.failure = Some(how);
        // The error itself is in the supervisor's log as well.
        _ = self.count();
    }

    /// Ends all descendants: the daemons in good order, then whatever is left.
    fn end_all(&mut self) {
        for (pid, _) in &self.running {
            _ = kill(*pid, Signal::SIGTERM);
        }
        _ = wait_until(GRACE, TICK, || {
            self.reap();
            Probe::of(self.running.is_empty(), "daemons are left")
        });
        _ = end_repeatedly(ROUNDS, || {
            self.reap();
            // What has ended is one of them, too, until it is buried.
            Ok(family::descendants()?.into_iter().map(|member| member.identity).collect())
        });
    }
}

#[cfg(test)]
mod tests;
