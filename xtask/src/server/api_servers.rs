//! API servers of this machine, as distinct from other processes with their command line.
//!
//! `timeout 600 python -m sky.server.server` is a wrapper, and a fork of a server has the
//! server's command line until it calls exec. So the server is the innermost process that runs
//! the module, forks left out. If a process is seen to listen on the port, that process is the
//! server.

use std::collections::HashMap;

use anyhow::Result;
use host::process::scan::Scan;
use skyload::ids::ProcessIdentity;
use skyload::listeners::Listeners;
use skyload::server_command::{SERVER, mentions_server, port, python_module};

use super::ports::DEFAULT_API_PORT;

/// API server on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ApiServer {
    /// Main process of the server.
    pub(crate) root: ProcessIdentity,
    /// Port of the API.
    pub(crate) port: u16,
}

/// API servers of this machine, by port.
pub(crate) fn api_servers() -> Result<Vec<ApiServer>> {
    let scan = Scan::now()?;
    let processes = scan.processes().map(|seen| {
        let words = seen.args().iter().map(|word| word.as_encoded_bytes().to_vec()).collect();
        (seen.pid, Seen { parent: seen.parent(), words })
    });
    let listens = |pid, port| Listeners::default().ports_of(pid).contains(&port);
    let mut found: Vec<ApiServer> = servers_among(&processes.collect(), listens)
        .into_iter()
        .filter_map(|(pid, port)| Some(ApiServer { root: ProcessIdentity::of(pid)?, port }))
        .collect();
    found.sort_by_key(|server| (server.port, server.root.pid));
    Ok(found)
}

/// Main process of the API server on `port`, if there is one.
pub(super) fn main_process(port: u16) -> Result<Option<ProcessIdentity>> {
    let servers = api_servers()?;
    Ok(servers.into_iter().find(|server| server.port == port).map(|server| server.root))
}

/// Whether the server whose main process is `root` is gone, and another one is on its port.
/// `sky api stop` would stop that one.
pub(super) fn is_replaced(root: Option<ProcessIdentity>, port: u16) -> Result<bool> {
    Ok(!root.is_some_and(ProcessIdentity::is_alive) && main_process(port)?.is_some())
}

/// Process with its parent and its command line.
struct Seen {
    parent: u32,
    words: Vec<Vec<u8>>,
}

impl Seen {
    fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.words.iter().map(|word| word.trim_ascii())
    }
}

/// Process that may be a server's main process.
struct Candidate {
    pid: u32,
    port: u16,
    listens: bool,
}

/// Pid and port of each server. `listens`: whether a process is seen to listen on a port, which
/// needs permission to read its file descriptors.
fn servers_among(
    processes: &HashMap<u32, Seen>,
    listens: impl Fn(u32, u16) -> bool,
) -> Vec<(u32, u16)> {
    let mut candidates = Vec::new();
    for (&pid, seen) in processes.iter().filter(|(_, seen)| mentions_server(seen.words())) {
        // Without `--port`, SkyPilot listens on its default port.
        let port = port(seen.words()).unwrap_or(DEFAULT_API_PORT);
        let listens = listens(pid, port);
        // A fork that has not called exec has its parent's command line and sockets.
        let is_fork = processes.get(&seen.parent).is_some_and(|parent| parent.words == seen.words);
        let runs = python_module(seen.words()) == Some(SERVER) && !is_fork;
        // `coverage run -m ..` only mentions the module: such a process counts if it listens.
        if runs || listens && !is_fork {
            candidates.push(Candidate { pid, port, listens });
        }
    }
    let wraps = |outer: &Candidate, inner: &Candidate| {
        outer.pid != inner.pid
            && outer.port == inner.port
            && descends(processes, inner.pid, outer.pid)
    };
    let is_server = |this: &&Candidate| {
        !candidates.iter().any(|other| {
            // The inner process is the server, unless only the outer one is seen to listen.
            wraps(this, other) && (other.listens || !this.listens)
                || wraps(other, this) && other.listens && !this.listens
        })
    };
    candidates.iter().filter(is_server).map(|server| (server.pid, server.port)).collect()
}

/// Whether a process descends from another, by the parents that the scan found.
fn descends(processes: &HashMap<u32, Seen>, pid: u32, from: u32) -> bool {
    let mut ancestors = Vec::new();
    let mut next = processes.get(&pid).map(|seen| seen.parent);
    while let Some(ancestor) = next.filter(|ancestor| !ancestors.contains(ancestor)) {
        if ancestor == from {
            return true;
        }
        // A scan is not atomic: a reused pid can make the parents cyclic.
        ancestors.push(ancestor);
        next = processes.get(&ancestor).map(|seen| seen.parent);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER_WORDS: &str = "python -m sky.server.server --port=46601";

    /// Pids of the servers among these processes (pid, parent, command line), of which
    /// `listening` listen on port 46601.
    fn found(table: &[(u32, u32, &str)], listening: &[u32]) -> Vec<u32> {
        let seen = |(pid, parent, words): &(u32, u32, &str)| {
            let words = words.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            (*pid, Seen { parent: *parent, words })
        };
        let processes = table.iter().map(seen).collect();
        let found =
            servers_among(&processes, |pid, port| port == 46601 && listening.contains(&pid));
        let mut pids: Vec<u32> = found.into_iter().map(|(pid, _)| pid).collect();
        pids.sort_unstable();
        pids
    }

    fn wrapped(program: &str) -> String {
        format!("{program} {SERVER_WORDS}")
    }

    #[test]
    fn a_wrapper_is_not_the_server() {
        for program in ["timeout 600", "tini --", "strace -f", "sh run.sh", "python wrap.py"] {
            let outer = wrapped(program);
            let table = [(10, 1, outer.as_str()), (11, 10, SERVER_WORDS)];
            assert_eq!(found(&table, &[]), [11], "{program}");
            assert_eq!(found(&table, &[11]), [11], "{program}");
        }
    }

    #[test]
    fn a_wrapper_that_has_not_started_its_server_yet_is_none() {
        let outer = wrapped("timeout 600");
        let both = [(10, 1, outer.as_str()), (11, 10, outer.as_str())];
        assert!(found(&both[..1], &[]).is_empty());
        assert!(found(&both, &[]).is_empty(), "nor is its fork");
    }

    #[test]
    fn the_server_is_found_below_nested_wrappers() {
        let outer = wrapped("sudo");
        let shell = wrapped("sh run.sh");
        let table = [
            (10, 1, outer.as_str()),
            (11, 10, outer.as_str()),
            (12, 11, shell.as_str()),
            (13, 12, "tini run.sh"),
            (14, 13, SERVER_WORDS),
        ];
        assert_eq!(found(&table, &[]), [14]);
    }

    #[test]
    fn a_fork_of_a_server_is_not_a_second_server() {
        let table =
            [(10, 1, SERVER_WORDS), (11, 10, SERVER_WORDS), (12, 10, "python -c spawn_main")];
        assert_eq!(found(&table, &[]), [10]);
        assert_eq!(found(&table, &[10]), [10]);
        assert_eq!(found(&table, &[10, 11, 12]), [10], "a fork has its parent's sockets");
    }

    #[test]
    fn the_process_that_listens_on_the_port_is_the_server() {
        let traced = "python coverage run -m sky.server.server --port=46601";
        assert_eq!(found(&[(10, 1, traced)], &[10]), [10]);
        let outer = [(10, 1, SERVER_WORDS), (11, 10, "python -m sky.server.server --port 46601")];
        assert_eq!(found(&outer, &[10]), [10]);
        assert_eq!(found(&outer, &[11]), [11]);
    }

    #[test]
    fn servers_on_different_ports_are_separate() {
        let other = "python -m sky.server.server --port=46602";
        assert_eq!(found(&[(10, 1, SERVER_WORDS), (11, 10, other), (12, 1, "vi")], &[]), [10, 11]);
    }

    #[test]
    fn cyclic_parents_end_the_search() {
        let outer = wrapped("sh run.sh");
        let table = [(10, 11, outer.as_str()), (11, 12, "sh"), (12, 11, SERVER_WORDS)];
        assert_eq!(found(&table, &[]), [12]);
    }
}
