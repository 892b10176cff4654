//! Which processes belong to a server of ours, and getting rid of them.
//!
//! Never by name alone: other API servers may run on this machine. A process is
//! ours if it descends from the server that we started, carries the variable that
//! we gave it, writes its output into the instance's own directory, or shares an ssh
//! connection of the run's users. The last two hold even for processes whose titles
//! overwrote their environment: orphaned executors, ssh.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use host::process::scan::{self, Found, Seen};
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::poll;
use skyload::server_command;

use super::ssh_sockets;

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
        Ok(scan::find(&self.known, self.rule())?.into_iter().map(Owned::from).collect())
    }

    /// Those that are still there after a moment. What was just told to end needs
    /// one to do so; SkyPilot's own reapers (`subprocess_daemon.py`) need longer,
    /// and end by themselves.
    pub(super) fn find_lasting(&self) -> Result<Vec<Owned>> {
        const MOMENT: Duration = Duration::from_secs(3);
        let mut found = Vec::new();
        poll::during(MOMENT, Duration::from_millis(100), || {
            found = self.find()?;
            found.retain(|owned| !owned.title.ends_with("subprocess_daemon.py"));
            anyhow::Ok(found.is_empty().then_some(()))
        })?;
        Ok(found)
    }

    /// Ends all processes that belong to the server, and returns those that there
    /// were. Executors ignore SIGTERM, so it is SIGKILL; each by its own pid.
    pub(super) fn remove(&self) -> Result<Vec<Owned>> {
        Ok(scan::end_all(&self.known, self.rule())?.into_iter().map(Owned::from).collect())
    }

    /// What tells a process as the server's that was not known before.
    fn rule(&self) -> impl Fn(&Seen<'_>) -> bool {
        let markers = [env::SERVER_OF_RUN, env::CLIENT_OF_RUN]
            .map(|name| OsString::from(format!("{name}={}", self.run)));
        let sockets = ssh_sockets::prefix(&self.run);
        move |seen| {
            let marked = || seen.variables().iter().any(|pair| markers.contains(pair));
            let writes =
                || self.directory.as_deref().is_some_and(|home| writes_into(seen.pid, home));
            // `ssh: /tmp/sky_ssh_<user>/.. [mux]`: the title overwrote its environment.
            let shares = || {
                seen.args().iter().any(|word| {
                    let word = word.to_string_lossy();
                    word.starts_with("ssh: ") && word.contains(&sockets)
                })
            };
            marked() || writes() || shares()
        }
    }
}

impl From<Found> for Owned {
    fn from(found: Found) -> Self {
        Self { identity: found.identity, title: title(&found.args) }
    }
}

fn title(words: &[OsString]) -> String {
    let line = words.join(OsStr::new("\0"));
    let kind = server_command::kind(server_command::arguments(line.as_encoded_bytes()));
    kind.unwrap_or_else(|| "(no title)".to_owned())
}

/// Whether its standard output or error goes to a file below `home`.
fn writes_into(pid: u32, home: &Path) -> bool {
    [1, 2].iter().any(|fd| {
        std::fs::read_link(format!("/proc/{pid}/fd/{fd}"))
            .is_ok_and(|target| target.starts_with(home))
    })
}
