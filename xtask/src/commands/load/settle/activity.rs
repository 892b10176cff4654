//! CPU use of the server under test and of other processes of the machine.
//!
//! Whether the server is idle depends on its own CPU time only, not on that of a machine that may
//! be busy with other processes.

use std::collections::HashSet;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use host::process::scan::{add_descendants, parents};
use skyload::env;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::record::events::BusyProcess;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// Minimum time over which CPU use is measured.
const WINDOW: Duration = Duration::from_secs(1);

/// CPU use in percent of one CPU from which on another process is reported.
const REPORTED: f32 = 20.0;

/// CPU use over the last window, in percent of one CPU.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// CPU use of all server processes together.
    pub(super) server: f32,
    /// Busy processes that belong neither to the server nor to the run, busiest first.
    pub(super) others: Vec<BusyProcess>,
}

/// Measurement of the CPU use of this machine's processes.
pub(super) struct Activity {
    system: System,
    root: u32,
    /// Environment variable that marks server processes.
    server_marker: OsString,
    /// Environment variables that mark clients of the run and nodes of any loopback Slurm cluster.
    other_markers: [OsString; 2],
    server: HashSet<u32>,
    measured: Option<Instant>,
}

impl Activity {
    /// Begins a measurement of the server with the main process `root`.
    pub(super) fn begin(root: ProcessIdentity, run: &RunId) -> Result<Self> {
        Ok(Self {
            system: System::new().context("listing the processes of this machine")?,
            root: root.pid,
            server_marker: format!("{}={run}", env::SERVER_OF_RUN).into(),
            other_markers: [
                format!("{}={run}", env::CLIENT_OF_RUN).into(),
                format!("{}=", env::NODES_OF).into(),
            ],
            server: HashSet::from([root.pid]),
            measured: None,
        })
    }

    /// CPU use since the last measurement; `None` if less than [`WINDOW`] has passed.
    pub(super) fn measure(&mut self) -> Option<Usage> {
        if self.measured.is_some_and(|last| last.elapsed() < WINDOW) {
            return None;
        }
        // sysinfo computes CPU use between two refreshes, so the first has no result.
        let is_first = self.measured.replace(Instant::now()).is_none();
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::All,
            true,
            ProcessRefreshKind::nothing()
                .with_cpu()
                .with_cmd(UpdateKind::OnlyIfNotSet)
                .with_environ(UpdateKind::OnlyIfNotSet)
                .without_tasks(),
        );
        let (server, run) = self.membership();
        self.server = server;
        (!is_first).then(|| self.usage(&run))
    }

    /// PIDs of the server, and of all other processes of the run.
    fn membership(&self) -> (HashSet<u32>, HashSet<u32>) {
        let parents = parents(&self.system);
        // A known server process still counts when its parent has exited.
        let mut server = HashSet::from([self.root]);
        let mut run = HashSet::from([std::process::id()]);
        for (pid, process) in self.system.processes() {
            let pid = pid.as_u32();
            let carries = |marker: &OsString| {
                let marker = marker.as_encoded_bytes();
                process.environ().iter().any(|pair| pair.as_encoded_bytes().starts_with(marker))
            };
            if self.server.contains(&pid) || carries(&self.server_marker) {
                server.insert(pid);
            } else if self.other_markers.iter().any(carries) {
                run.insert(pid);
            }
        }
        add_descendants(&mut server, &parents);
        add_descendants(&mut run, &parents);
        (server, run)
    }

    fn usage(&self, run: &HashSet<u32>) -> Usage {
        let mut usage = Usage::default();
        for (pid, process) in self.system.processes() {
            let (pid, percent) = (pid.as_u32(), process.cpu_usage());
            if self.server.contains(&pid) {
                usage.server += percent;
            } else if !run.contains(&pid) && percent >= REPORTED {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "small"
                )]
                let percent = percent.round() as u32;
                let name = process.name().to_string_lossy().into_owned();
                usage.others.push(BusyProcess { name, pid, percent });
            }
        }
        usage.others.sort_by_key(|other| std::cmp::Reverse(other.percent));
        usage
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Process that uses a whole CPU.
    fn spinning(variable: Option<(&str, &str)>) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -t 60; while :; do :; done"]).envs(variable);
        command.spawn().unwrap()
    }

    #[test]
    fn cpu_use_of_the_server_is_told_from_that_of_other_processes() {
        let run = RunId::generate();
        let mut server = spinning(None);
        let mut orphan = spinning(Some((env::SERVER_OF_RUN, run.as_str())));
        let mut client = spinning(Some((env::CLIENT_OF_RUN, run.as_str())));
        // Not a child of this process, which would make it one of the run.
        let detached = "(ulimit -t 60; while :; do :; done) & echo $!";
        let other = first_line_of(Command::new("sh").args(["-c", detached]));
        let other: u32 = other.trim().parse().unwrap();

        let root = ProcessIdentity::of(server.id()).unwrap();
        let mut activity = Activity::begin(root, &run).unwrap();
        assert_eq!(activity.measure(), None, "nothing to compare with");
        // A new process has no CPU time until the kernel's first clock tick in it.
        let usage = loop {
            match activity.measure() {
                Some(usage) if usage.server > 0.0 => break usage,
                Some(_) | None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        for child in [&mut server, &mut orphan, &mut client] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        host::process::scan::end(ProcessIdentity::of(other).unwrap());
        let pids: Vec<u32> = usage.others.iter().map(|other| other.pid).collect();
        let ours = [server.id(), orphan.id(), client.id()];
        assert!(ours.iter().all(|pid| !pids.contains(pid)), "{usage:?}");
        assert!(activity.server.contains(&orphan.id()) && !activity.server.contains(&other));
    }

    /// First line of the output of a command whose child keeps running.
    fn first_line_of(command: &mut Command) -> String {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        child.wait().unwrap();
        line
    }
}
