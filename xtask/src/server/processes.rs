//! Which processes belong to a server of ours, and getting rid of them.
//!
//! Never by name alone: other API servers may run on this machine. A process is
//! ours if it descends from the server that we started, carries the variable that
//! we gave it, writes its output into the instance's own directory, or shares an ssh
//! connection of the run's users. The last two hold even for processes whose titles
//! overwrote their environment: orphaned executors, ssh.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use skyload::env;
use skyload::ids::{ProcessIdentity, RunId};

use super::ssh_sockets;
use crate::processes::{add_descendants, end, look_around};

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
        let mut parents = HashMap::new();
        for (pid, process) in system.processes() {
            let pid = pid.as_u32();
            parents.insert(pid, process.parent().map_or(0, sysinfo::Pid::as_u32));
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
    let words: Vec<_> = process.cmd().iter().map(|word| word.to_string_lossy()).collect();
    in_a_few_words(&words.iter().map(AsRef::as_ref).collect::<Vec<&str>>())
}

/// What a process is by its command line: its title, or its program with the module,
/// code or script that it runs.
fn in_a_few_words(words: &[&str]) -> String {
    const LENGTH: usize = 40;
    let first = words.first().map_or("", |word| word.trim_end_matches('\0'));
    // Its title holds the path of its socket, which differs for each.
    if first.starts_with("ssh: ") && first.ends_with("[mux]") {
        return "ssh connection to a node, kept open".to_owned();
    }
    // The pid in an executor's title would make every one a kind of its own.
    let first = first.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(':');
    let mut rest = words.iter().skip(1).copied();
    let what = loop {
        match rest.next() {
            Some("-m" | "-c") => break rest.next().unwrap_or_default(),
            // SkyPilot writes `-msky.jobs.controller`.
            Some(word) if word.starts_with("-m") => break &word[2..],
            Some(word) if word.starts_with('-') => {}
            other => break other.unwrap_or_default(),
        }
    };
    let what: String = what.rsplit('/').next().unwrap_or_default().chars().take(LENGTH).collect();
    format!("{} {what}", short(first)).trim_end().to_owned()
}

fn short(program: &str) -> String {
    let name = program.rsplit('/').next().unwrap_or(program);
    if name.is_empty() { "(no title)".to_owned() } else { name.to_owned() }
}

/// Whether its standard output or error goes to a file below `home`.
fn writes_into(pid: u32, home: &Path) -> bool {
    [1, 2].iter().any(|fd| {
        std::fs::read_link(format!("/proc/{pid}/fd/{fd}"))
            .is_ok_and(|target| target.starts_with(home))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_of_one_kind_have_one_name() {
        for (words, name) in [
            (
                &["ssh: /tmp/sky_ssh_3fa91234/11ab/849f52 [mux]\0\0"][..],
                "ssh connection to a node, kept open",
            ),
            (&["SkyPilot:executor:short:4711\0"], "SkyPilot:executor:short"),
            (&["/v/bin/python", "-u", "-msky.jobs.controller", "1"], "python sky.jobs.controller"),
            (&["/bin/sh", "/x/start.sh"], "sh start.sh"),
            (&[], "(no title)"),
        ] {
            assert_eq!(in_a_few_words(words), name);
        }
    }
}
