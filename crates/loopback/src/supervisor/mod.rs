//! Supervisor of all node processes, the separate process `__nodes`.
//!
//! The supervisor is the subreaper of its descendants: a node process that becomes a daemon
//! stays a descendant. So ending all descendants ends all node processes, and no CPU time is
//! missed. The supervisor ends on a signal, when the process that owns the nodes is gone, or
//! when a daemon exits. [`watchdog`] ends all node processes if the supervisor is killed.

mod autogroup;
mod daemon;
mod descendants;
mod exposure;
mod launch;
mod outage;
mod watchdog;

use std::collections::HashSet;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use host::process::scan::end_repeatedly;
use host::signals::Signals;
use host::tools::remove_folder;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid, getsid, setsid};
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::poll::{self, Probe, wait_until};
use skyload::record::nodes::{CloudApiFigures, NodeFigures};
use skyload::record::write_json;
use skyload::units::ByteSize;
use skyload::usage::Usage;

use super::account::Account;
use super::leaked_files;
use super::priority::NodePriority;
use autogroup::LoweredSessions;
pub(crate) use daemon::{Daemon, Readiness, Role};
use descendants::Descendant;
use exposure::Exposed;
pub(crate) use launch::{Launched, launch};
use outage::Outage;
use watchdog::Watchdog;
pub use watchdog::{COMMAND as WATCHDOG_COMMAND, watch};

/// Interval at which the supervisor checks for exited daemons, signals and its owner.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Interval at which CPU, memory and sockets of node processes are read.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// Time limit for a daemon to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Time for daemons to exit after SIGTERM, before they are killed.
const GRACE: Duration = Duration::from_secs(2);
/// Maximum number of scans for descendants that remain after the daemons.
const ROUNDS: usize = 100;

/// Options of the supervisor, passed as JSON on its command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct NodesOptions {
    /// Id of the infra, in all node processes' variable `SKYLOAD_NODES_OF`.
    pub(crate) id: String,
    /// Process that the nodes end with; `None` for a persistent infra.
    pub(crate) owner: Option<ProcessIdentity>,
    /// User that daemons run as.
    pub(crate) account: Account,
    /// Environment variables of daemons, complete.
    pub(crate) variables: Vec<(String, String)>,
    /// Daemons, in the order in which they are started.
    pub(crate) daemons: Vec<Daemon>,
    /// File for the `NodeFigures`.
    pub(crate) figures: PathBuf,
    /// File for the list of running node processes, which finds them if the supervisor is
    /// killed.
    pub(crate) members: PathBuf,
    /// Folder to remove when the owner is gone.
    pub(crate) folder: Option<PathBuf>,
    /// Cleanup record to remove when the owner is gone.
    pub(crate) record: Option<PathBuf>,
}

/// Reason why the supervisor ends.
enum ExitReason {
    Signal,
    OwnerGone,
    /// Exit of a daemon, with its name and status.
    DaemonExited(String),
}

/// Command of this program that runs the supervisor.
pub const COMMAND: &str = "__nodes";

/// Runs the supervisor with [`NodesOptions`] as JSON.
pub fn run(options: &str) -> Result<()> {
    run_with(options, watchdog::command(options)?)
}

/// [`run`] with the command of the watchdog.
fn run_with(options: &str, watchdog: Command) -> Result<()> {
    let options: NodesOptions =
        serde_json::from_str(options).context("reading the supervisor's options")?;
    // A new session: neither Ctrl-C nor a closed terminal ends the nodes. Fails only if this
    // process is a session leader already.
    _ = setsid();
    // The same umask for daemons and jobs, whichever skyload was started with. Files with
    // secrets have explicit modes.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    set_child_subreaper(true).context("becoming the subreaper of node processes")?;
    let signals = Signals::listen()?;
    let watchdog = Watchdog::start(watchdog)?;
    let mut nodes = Nodes::new(options, watchdog);
    let result = nodes.supervise(&signals);
    // After an error as well: no node process may outlive the supervisor.
    nodes.end_all();
    let reason = result.inspect_err(|error| nodes.fail(format!("{error:#}")))?;
    match reason {
        ExitReason::Signal => nodes.update_figures(),
        ExitReason::DaemonExited(message) => {
            nodes.fail(message.clone());
            bail!("{message}")
        }
        // No other process is left that would tear the cluster down.
        ExitReason::OwnerGone => {
            if let Some(folder) = &nodes.options.folder {
                remove_folder(folder)?;
            }
            leaked_files::remove_unused(nodes.options.account);
            // Last: if removing the folder fails, the next run finds the rest by the record.
            if let Some(record) = &nodes.options.record {
                fs::remove_file(record)
                    .with_context(|| format!("removing `{}`", record.display()))?;
            }
            Ok(())
        }
    }
}

/// Daemon that was not reaped yet.
struct Running {
    pid: Pid,
    name: String,
    role: Role,
}

struct Nodes {
    options: NodesOptions,
    watchdog: Watchdog,
    /// Daemons that were not reaped yet, so that their pids cannot be reused.
    running: Vec<Running>,
    figures: NodeFigures,
    exposed: Exposed,
    lowered: LoweredSessions,
}

impl Nodes {
    fn new(options: NodesOptions, watchdog: Watchdog) -> Self {
        Self {
            options,
            watchdog,
            running: Vec::new(),
            figures: NodeFigures::default(),
            exposed: Exposed::default(),
            lowered: LoweredSessions::default(),
        }
    }

    /// Starts the daemons, then updates the figures until there is a reason to end.
    fn supervise(&mut self, signals: &Signals) -> Result<ExitReason> {
        for daemon in self.options.daemons.clone() {
            let pid = self.start(&daemon)?;
            if let Some(reason) = self.wait_for(&daemon, pid, signals)? {
                return Ok(reason);
            }
        }
        let mut outage = Outage::default();
        loop {
            outage.bear(self.update_figures(), Instant::now())?;
            let reason = || anyhow::Ok(self.reason_to_end(signals));
            if let Some(reason) = poll::during(COUNT_INTERVAL, POLL_INTERVAL, reason)? {
                return Ok(reason);
            }
        }
    }

    /// Waits until a daemon is ready; a reason if the supervisor must end before.
    fn wait_for(
        &mut self,
        daemon: &Daemon,
        pid: u32,
        signals: &Signals,
    ) -> Result<Option<ExitReason>> {
        let waited = poll::during(READY_WITHIN, POLL_INTERVAL, || {
            anyhow::Ok(match daemon.ready.is_met(pid)? {
                true => Some(None),
                false => self.reason_to_end(signals).map(Some),
            })
        });
        waited?.with_context(|| {
            format!("{} not ready after {} s", daemon.name, READY_WITHIN.as_secs())
        })
    }

    /// Starts a daemon and returns its pid.
    fn start(&mut self, daemon: &Daemon) -> Result<u32> {
        let starting = || format!("starting {} (`{}`)", daemon.name, daemon.program.display());
        let log = fs::File::options().create(true).append(true).open(&daemon.log);
        let log = log.with_context(starting)?;
        // `chrt` and `nice` execute the daemon in their own process, so that the child is the
        // daemon.
        let mut command = match daemon.priority.map(NodePriority::prefix) {
            Some((prefix, args)) => {
                let mut command = Command::new(prefix);
                command.args(args).arg(&daemon.program);
                command
            }
            None => Command::new(&daemon.program),
        };
        command
            .args(&daemon.args)
            .env_clear()
            .envs(self.options.variables.iter().chain(&daemon.variables).cloned())
            .env(env::NODES_OF, &self.options.id)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().with_context(starting)?)
            .stderr(log);
        if geteuid().is_root() {
            // With the user, Rust drops the supplementary groups of root, too.
            command.uid(self.options.account.uid).gid(self.options.account.gid);
        }
        let child = command.spawn().with_context(starting)?;
        let pid = Pid::from_raw(i32::try_from(child.id()).with_context(starting)?);
        self.running.push(Running { pid, name: daemon.name.clone(), role: daemon.role });
        Ok(child.id())
    }

    fn reason_to_end(&mut self, signals: &Signals) -> Option<ExitReason> {
        let exited = self.reap();
        // Daemons last: one that exits at the same time is not the reason.
        if signals.interrupted() {
            Some(ExitReason::Signal)
        } else if self.options.owner.is_some_and(|owner| !owner.is_alive()) {
            Some(ExitReason::OwnerGone)
        } else {
            exited.map(ExitReason::DaemonExited)
        }
    }

    /// Reaps exited descendants. Returns name and status of the first daemon among them.
    fn reap(&mut self) -> Option<String> {
        let mut exited = None;
        // Any child: orphaned node processes become children of the subreaper.
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            let description = match status {
                WaitStatus::Exited(_, code) => format!("exited with status {code}"),
                WaitStatus::Signaled(_, signal, _) => format!("was killed by {signal}"),
                _ => break,
            };
            let is_reaped = |daemon: &Running| Some(daemon.pid) == status.pid();
            if let Some(index) = self.running.iter().position(is_reaped) {
                let Running { name, .. } = self.running.remove(index);
                exited.get_or_insert(format!("{name} {description}"));
            }
        }
        exited
    }

    /// Reads CPU, memory and sockets of all node processes, writes the figures and the list of
    /// processes, and lowers the priority of new sessions.
    fn update_figures(&mut self) -> Result<()> {
        let mut all = descendants::descendants()?;
        all.retain(|process| !self.watchdog.is(process.identity));
        let running: Vec<&Descendant> = all.iter().filter(|process| !process.zombie).collect();
        // All daemons with a priority have the same one.
        if let Some(priority) = self.options.daemons.iter().find_map(|daemon| daemon.priority)
            && let Ok(own) =
                u32::try_from(getsid(None).context("finding the supervisor's session")?.as_raw())
        {
            self.lowered.extend(running.iter().copied(), own, priority);
        }
        self.update_cloud_api(&all);
        let cloud_api = self.cloud_api_pids(&all);
        let of_nodes = || running.iter().filter(|process| !cloud_api.contains(&process.pid()));
        // A process that its parent reaps between the readings of the two is missing, hence the
        // maximum.
        let cpu = Usage::of_children().cpu + all.iter().map(|process| process.cpu).sum();
        let of_cloud_api = self.figures.cloud_api.map(|api| api.cpu).unwrap_or_default();
        self.figures.cpu = self.figures.cpu.max(cpu.saturating_sub(of_cloud_api));
        self.figures.memory = of_nodes().map(|process| process.memory).sum::<ByteSize>();
        self.figures.peak_memory = self.figures.peak_memory.max(self.figures.memory);
        self.figures.processes = of_nodes().count();
        let identities: Vec<ProcessIdentity> =
            running.iter().map(|process| process.identity).collect();
        self.exposed.update(self.options.account, &identities);
        self.figures.exposed = self.exposed.lines();
        write_json(&self.options.members, &identities)?;
        write_json(&self.options.figures, &self.figures)?;
        Ok(())
    }

    /// Reads CPU and memory of the API of an emulated cloud, if there is one.
    fn update_cloud_api(&mut self, all: &[Descendant]) {
        let pids = self.cloud_api_pids(all);
        if pids.is_empty() {
            return;
        }
        let processes = || all.iter().filter(|process| pids.contains(&process.pid()));
        let figures = self.figures.cloud_api.get_or_insert(CloudApiFigures::UNUSED);
        figures.cpu = figures.cpu.max(processes().map(|process| process.cpu).sum());
        figures.memory = processes().map(|process| process.memory).sum::<ByteSize>();
        figures.peak_memory = figures.peak_memory.max(figures.memory);
    }

    /// Pids of the daemons that serve the API of an emulated cloud, and of their descendants.
    fn cloud_api_pids(&self, all: &[Descendant]) -> HashSet<u32> {
        let daemons = self.running.iter().filter(|daemon| daemon.role == Role::CloudApi);
        let daemons = daemons.filter_map(|daemon| u32::try_from(daemon.pid.as_raw()).ok());
        descendants::with_descendants(daemons, all)
    }

    /// Writes the figures with a failure, after which the nodes cannot be used.
    fn fail(&mut self, message: String) {
        self.figures.failure = Some(message);
        // Errors are ignored: the failure is in the supervisor's log too.
        _ = self.update_figures();
    }

    /// Ends all descendants: the daemons by SIGTERM, then the others by SIGKILL.
    fn end_all(&mut self) {
        for daemon in &self.running {
            _ = kill(daemon.pid, Signal::SIGTERM);
        }
        _ = wait_until(GRACE, POLL_INTERVAL, || {
            self.reap();
            Probe::of(self.running.is_empty(), "daemons are running")
        });
        _ = end_repeatedly(ROUNDS, || {
            // Zombies count as descendants until they are reaped.
            self.reap();
            Ok(descendants::descendants()?.into_iter().map(|process| process.identity).collect())
        });
    }
}

#[cfg(test)]
mod tests;
