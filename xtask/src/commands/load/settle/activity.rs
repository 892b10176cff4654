//! Who uses the CPUs: the server under test, or other processes of this machine.
//!
//! A machine that is busy with other things says nothing of whether the server is idle,
//! so the server's own CPU time is what counts.

use std::collections::HashSet;
use std::ffi::OsString;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use host::process::scan::{add_descendants, parents};
use skyload::env;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::record::events::BusyProcess;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// Time over which CPU time is counted.
const WINDOW: Duration = Duration::from_secs(1);

/// Use of one CPU, in percent, from which on another process is worth naming.
const WORTH_NAMING: f32 = 20.0;

/// CPU use over the last window, in percent of one CPU.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Of all processes of the server together.
    pub(super) server: f32,
    /// Of processes that belong neither to the server nor to the run, busiest first.
    pub(super) others: Vec<BusyProcess>,
}

/// A watch over the CPU time of this machine's processes.
pub(super) struct Activity {
    system: System,
    root: u32,
    /// The variable that everything of the server was given.
    server_marker: OsString,
    /// Those of everything else of the run: clients, and all loopback nodes.
    other_markers: [OsString; 2],
    server: HashSet<u32>,
    measured: Option<Instant>,
}

impl Activity {
    /// Begins to count.
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

    /// The CPU use since the last answer; `None` until a window has passed.
    pub(super) fn measure(&mut self) -> Option<Usage> {
        if self.measured.is_some_and(|last| last.elapsed() < WINDOW) {
            return None;
        }
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

    /// The pids of the server, and those of everything else of the run.
    fn membership(&self) -> (HashSet<u32>, HashSet<u32>) {
        let parents = parents(&self.system);
        // A process that was the server's stays so when its parent is gone.
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
            } else if !run.contains(&pid) && percent >= WORTH_NAMING {
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

    /// A process that does nothing but compute.
    fn spinning(variable: Option<(&str, &str)>) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -t 60; while :; do :; done"]).envs(variable);
        command.spawn().unwrap()
    }

    #[test]
    fn the_server_is_told_from_whatever_else_computes() {
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
        // A process whose first tick has not come yet counts from a later window on.
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

    /// The first line of what a command prints whose child goes on.
    fn first_line_of(command: &mut Command) -> String {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        child.wait().unwrap();
        line
    }
}
