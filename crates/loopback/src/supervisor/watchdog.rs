//! Watchdog of the supervisor, the separate process `__nodes-watchdog`: ends all node processes
//! after a SIGKILL of the supervisor.
//!
//! A signal on the parent's death would reach the daemons alone, not the jobs, sessions and daemons
//! that they start.

use std::io::{Read as _, Write as _, stderr, stdin};
use std::process::{ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result};
use host::workspace::own_program;
use nix::unistd::setsid;
use skyload::ids::ProcessIdentity;

use super::NodesOptions;
use crate::processes::NodeProcesses;

/// Command of this program that runs the watchdog.
pub const COMMAND: &str = "__nodes-watchdog";

/// Running watchdog, a child of the supervisor.
pub(super) struct Watchdog {
    /// Pid and start time; `None` if the watchdog has exited already.
    identity: Option<ProcessIdentity>,
    /// Standard input of the watchdog, whose end is that of the supervisor. Programs that the
    /// supervisor starts do not inherit the pipe.
    _lifeline: ChildStdin,
}

/// Command for a watchdog of the supervisor with these options.
pub(super) fn command(options: &str) -> Result<Command> {
    let mut command = Command::new(own_program()?);
    command.args([COMMAND, options]);
    Ok(command)
}

impl Watchdog {
    /// Starts `command` as the watchdog of this process.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let starting = "starting the watchdog of the supervisor";
        let mut child = command.current_dir("/").stdin(Stdio::piped()).spawn().context(starting)?;
        let lifeline = child.stdin.take().context(starting)?;
        // The supervisor reaps all its children.
        Ok(Self { identity: ProcessIdentity::of(child.id()), _lifeline: lifeline })
    }

    /// Whether `process` is the watchdog.
    pub(super) fn is(&self, process: ProcessIdentity) -> bool {
        self.identity == Some(process)
    }
}

/// Waits for the end of standard input, then ends the node processes of a supervisor with
/// [`NodesOptions`] as JSON.
pub fn watch(options: &str) -> Result<()> {
    let options: NodesOptions =
        serde_json::from_str(options).context("reading the supervisor's options")?;
    // A signal for the supervisor's process group must not end the watchdog as well.
    _ = setsid();
    stdin().read_to_end(&mut Vec::new()).context("waiting for the end of the supervisor")?;
    let processes = NodeProcesses::listed(&options.id, options.account, &options.members);
    let killed = processes.end_all().context("ending the processes of nodes")?;
    // The log may be gone.
    _ = writeln!(stderr(), "the supervisor was killed; ended {killed} node processes");
    Ok(())
}
