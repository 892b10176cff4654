//! Processes of an isolated server: finding and killing them.
//!
//! Never by name alone, since other API servers may run on this machine. A process belongs
//! to the server if it descends from the server's main process, has the run's marker in its
//! environment, is in the server's control group, writes its output below the server's directory, or
//! shares an ssh connection of the run's users. The last two find processes whose titles overwrote their environment:
//! orphaned executors, and ssh.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use host::process::scan::{self, Found, Seen};
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::ids::{ProcessIdentity, RunId};
use skyload::limits::server_group;
use skyload::poll;
use skyload::server_command;

use super::ssh_sockets;

/// Marks by which a server's processes are found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Belongings {
    /// Run that started the server.
    pub(super) run: RunId,
    /// Directory that only this server uses; `None` for the user's local server.
    pub(super) directory: Option<PathBuf>,
    /// Processes that are known to be the server's; their descendants are too.
    pub(super) known: Vec<ProcessIdentity>,
    /// Control groups that hold this server's processes and no others.
    #[serde(default)]
    pub(super) groups: Vec<PathBuf>,
}

/// Process that belongs to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) identity: ProcessIdentity,
    pub(super) title: String,
}

impl Belongings {
    /// Living processes of the server.
    pub(super) fn find(&self) -> Result<Vec<Owned>> {
        Ok(scan::find(&self.known, self.rule())?.into_iter().map(Owned::from).collect())
    }

    /// Leaked processes: those that still run 3 s after the stop. SkyPilot's reapers
    /// (`subprocess_daemon.py`) are left out, since they exit by themselves, but later.
    pub(super) fn find_leaked(&self) -> Result<Vec<Owned>> {
        const GRACE: Duration = Duration::from_secs(3);
        let mut found = Vec::new();
        poll::during(GRACE, Duration::from_millis(100), || {
            found = self.find()?;
            found.retain(|owned| !owned.title.ends_with("subprocess_daemon.py"));
            anyhow::Ok(found.is_empty().then_some(()))
        })?;
        Ok(found)
    }

    /// Kills all processes of the server, each by its pid, and returns them. By SIGKILL, since
    /// executors ignore SIGTERM.
    pub(super) fn kill(&self) -> Result<Vec<Owned>> {
        Ok(scan::end_all(&self.known, self.rule())?.into_iter().map(Owned::from).collect())
    }

    /// Rule by which processes are found that are neither known nor descend from known ones.
    fn rule(&self) -> impl Fn(&Seen<'_>) -> bool {
        let markers = [env::SERVER_OF_RUN, env::CLIENT_OF_RUN]
            .map(|name| OsString::from(format!("{name}={}", self.run)));
        let sockets = ssh_sockets::prefix(&self.run);
        let groups = self.groups.clone();
        move |seen| {
            let held = || !groups.is_empty() && server_group::pids_in(&groups).contains(&seen.pid);
            let marked = || seen.variables().iter().any(|pair| markers.contains(pair));
            let writes =
                || self.directory.as_deref().is_some_and(|home| writes_into(seen.pid, home));
            // The title of a shared ssh connection, `ssh: /tmp/sky_ssh_<user>/.. [mux]`,
            // overwrote its environment.
            let shares = || {
                seen.args().iter().any(|word| {
                    let word = word.to_string_lossy();
                    word.starts_with("ssh: ") && word.contains(&sockets)
                })
            };
            marked() || writes() || shares() || held()
        }
    }
}

impl From<Found> for Owned {
    fn from(found: Found) -> Self {
        Self { identity: found.identity, title: title(&found.args) }
    }
}

fn title(words: &[OsString]) -> String {
    // Separated as in `/proc/PID/cmdline`, which `arguments` splits.
    let line = words.join(OsStr::new("\0"));
    let kind = server_command::kind(server_command::arguments(line.as_encoded_bytes()));
    kind.unwrap_or_else(|| "(no title)".to_owned())
}

/// Whether the process's standard output or error goes to a file below `home`.
fn writes_into(pid: u32, home: &Path) -> bool {
    // SkyPilot redirects executors to logs below the server's home: `server.log` while idle, and
    // the log of a request while one is executed.
    [1, 2].iter().any(|fd| {
        std::fs::read_link(format!("/proc/{pid}/fd/{fd}"))
            .is_ok_and(|target| target.starts_with(home))
    })
}
