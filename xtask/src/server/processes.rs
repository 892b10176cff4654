//! Which processes belong to a server of ours, and getting rid of them.
//!
//! Never by name alone: other API servers may run on this machine. A process is
//! ours if it descends from the server that we started, carries the variable that
//! we gave it, writes its output into the instance's own directory, or shares an ssh
//! connection of the run's users. The last two hold even for processes whose titles
//! overwrote their environment: orphaned executors, ssh.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::server_command;

use super::ssh_sockets;
use crate::processes::{add_descendants, end, look_around, parents};

/// What tells a server's processes from all others.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Belongings {
    /// The run that started it.
    pub(super) run: RunId,
    /// The directory that only this server uses, if there is one.
    pub(super) directory: Option<PathBuf>,
    /// Processes that are known to be its.
    pub(super) known: Vec<ProcessIdentity>,
}

/// A process that belongs to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) identity: ProcessIdentity,
    pub(super) title: String,
}

impl Belongings {
    /// All living processes that belong to the server.
    pub(super) fn find(&self) -> Result<Vec<Owned>> {
        let system = look_around()?;
        let markers = [env::SERVER_OF_RUN, env::CLIENT_OF_RUN]
            .map(|name| OsString::from(format!("{name}={}", self.run)));
        let sockets = ssh_sockets::prefix(&self.run);
        let mut ours: HashSet<u32> =
            self.known.iter().filter(|known| known.is_alive()).map(|known| known.pid).collect();
        let parents = parents(&system);
        for (pid, process) in system.processes() {
            let pid = pid.as_u32();
            let marked = process.environ().iter().any(|pair| markers.contains(pair));
            let writes = self.directory.as_deref().is_some_and(|home| writes_into(pid, home));
            // `ssh: /tmp/sky_ssh_<user>/.. [mux]`: the title overwrote its environment.
            let shares = process.cmd().iter().any(|word| {
                let word = word.to_string_lossy();
                word.starts_with("ssh: ") && word.contains(&sockets)
            });
            if marked || writes || shares {
                ours.insert(pid);
            }
        }
        ours.remove(&std::process::id());
        add_descendants(&mut ours, &parents);
        let owned = ours.into_iter().filter_map(|pid| {
            let process = system.process(sysinfo::Pid::from_u32(pid))?;
            Some(Owned { identity: ProcessIdentity::of(pid)?, title: title(process) })
        });
        Ok(owned.collect())
    }

    /// Those that are still there after a moment. What was just told to end needs
    /// one to do so; SkyPilot's own reapers (`subprocess_daemon.py`) need longer,
    /// and end by themselves.
    pub(super) fn find_lasting(&self) -> Result<Vec<Owned>> {
        const MOMENT: Duration = Duration::from_secs(3);
        let end = Instant::now() + MOMENT;
        loop {
            let mut found = self.find()?;
            found.retain(|owned| !owned.title.ends_with("subprocess_daemon.py"));
            if found.is_empty() || Instant::now() >= end {
                return Ok(found);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends all processes that belong to the server, and returns those that there
    /// were. Executors ignore SIGTERM, so it is SIGKILL; each by its own pid.
    pub(super) fn remove(&self) -> Result<Vec<Owned>> {
        let mut removed = Vec::new();
        // A process may start another while it is being looked for.
        for _ in 0..5 {
            let found = self.find()?;
            if found.is_empty() {
                break;
            }
            for owned in &found {
                end(owned.identity);
            }
            removed.extend(found);
        }
        Ok(removed)
    }
}

fn title(process: &sysinfo::Process) -> String {
    let line = process.cmd().join(OsStr::new("\0"));
    let kind = server_command::kind(server_command::words(line.as_encoded_bytes()));
    kind.unwrap_or_else(|| "(no title)".to_owned())
}

/// Whether its standard output or error goes to a file below `home`.
fn writes_into(pid: u32, home: &Path) -> bool {
    [1, 2].iter().any(|fd| {
        std::fs::read_link(format!("/proc/{pid}/fd/{fd}"))
            .is_ok_and(|target| target.starts_with(home))
    })
}
