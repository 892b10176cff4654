//! The API servers of this machine: who runs one, and not who has been started with its
//! words.
//!
//! `timeout 600 python -m sky.server.server` is a program around the server, and what a
//! server forks has its words until it executes its own program. So the server is the
//! innermost process that runs the module, copies of their parents aside; where it can
//! be seen who answers on the port, that one.

use std::collections::HashMap;

use anyhow::Result;
use host::process::scan::Scan;
use skyload::ids::ProcessIdentity;
use skyload::listeners::Listeners;
use skyload::server_command::{SERVER, mentions_server, port, python_module};

use super::ports::DEFAULT_API_PORT;

/// An API server of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ApiServer {
    /// Its main process.
    pub(crate) root: ProcessIdentity,
    /// Where it answers.
    pub(crate) port: u16,
}

/// The main processes of all API servers of this machine, by port.
pub(crate) fn api_servers() -> Result<Vec<ApiServer>> {
    let scan = Scan::now()?;
    let processes = scan.processes().map(|seen| {
        let words = seen.args().iter().map(|word| word.as_encoded_bytes().to_vec()).collect();
        (seen.pid, Seen { parent: seen.parent(), words })
    });
    let answers = |pid, port| Listeners::default().ports_of(pid).contains(&port);
    let mut found: Vec<ApiServer> = servers_among(&processes.collect(), answers)
        .into_iter()
        .filter_map(|(pid, port)| Some(ApiServer { root: ProcessIdentity::of(pid)?, port }))
        .collect();
    found.sort_by_key(|server| (server.port, server.root.pid));
    Ok(found)
}

/// The main process of the API server on `port`, if there is one.
pub(super) fn main_process(port: u16) -> Result<Option<ProcessIdentity>> {
    let servers = api_servers()?;
    Ok(servers.into_iter().find(|server| server.port == port).map(|server| server.root))
}

/// A process, by its parent and its words.
struct Seen {
    parent: u32,
    words: Vec<Vec<u8>>,
}

impl Seen {
    fn words(&self) -> impl Iterator<Item = &[u8]> {
        self.words.iter().map(|word| word.trim_ascii())
    }
}

/// Who may be a server.
struct Candidate {
    pid: u32,
    port: u16,
    answers: bool,
}

/// Pid and port of each server. `answers`: whether a process waits for connections on a
/// port, as far as that can be seen.
fn servers_among(
    processes: &HashMap<u32, Seen>,
    answers: impl Fn(u32, u16) -> bool,
) -> Vec<(u32, u16)> {
    let mut candidates = Vec::new();
    for (&pid, seen) in processes.iter().filter(|(_, seen)| mentions_server(seen.words())) {
        let port = port(seen.words()).unwrap_or(DEFAULT_API_PORT);
        let answers = answers(pid, port);
        let is_copy = processes.get(&seen.parent).is_some_and(|parent| parent.words == seen.words);
        let runs = python_module(seen.words()) == Some(SERVER) && !is_copy;
        // What a server forks has its sockets, too.
        if runs || answers && !is_copy {
            candidates.push(Candidate { pid, port, answers });
        }
    }
    let is_around = |outer: &Candidate, inner: &Candidate| {
        outer.pid != inner.pid
            && outer.port == inner.port
            && descends(processes, inner.pid, outer.pid)
    };
    let is_server = |this: &&Candidate| {
        !candidates.iter().any(|other| {
            // The inner one, unless only the outer one is seen to answer.
            is_around(this, other) && (other.answers || !this.answers)
                || is_around(other, this) && other.answers && !this.answers
        })
    };
    candidates.iter().filter(is_server).map(|server| (server.pid, server.port)).collect()
}

/// Whether a process descends from another, as far as parents were seen.
fn descends(processes: &HashMap<u32, Seen>, pid: u32, from: u32) -> bool {
    let mut ancestors = Vec::new();
    let mut next = processes.get(&pid).map(|seen| seen.parent);
    while let Some(ancestor) = next.filter(|ancestor| !ancestors.contains(ancestor)) {
        if ancestor == from {
            return true;
        }
        // Processes are not seen all at one moment: a reused pid might make a circle.
        ancestors.push(ancestor);
        next = processes.get(&ancestor).map(|seen| seen.parent);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER_WORDS: &str = "python -m sky.server.server --port=46601";

    /// Pid, parent and words of each; who answers on 46601.
    fn found(table: &[(u32, u32, &str)], answering: &[u32]) -> Vec<u32> {
        let seen = |(pid, parent, words): &(u32, u32, &str)| {
            let words = words.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            (*pid, Seen { parent: *parent, words })
        };
        let processes = table.iter().map(seen).collect();
        let found =
            servers_among(&processes, |pid, port| port == 46601 && answering.contains(&pid));
        let mut pids: Vec<u32> = found.into_iter().map(|(pid, _)| pid).collect();
        pids.sort_unstable();
        pids
    }

    fn around(program: &str) -> String {
        format!("{program} {SERVER_WORDS}")
    }

    #[test]
    fn a_program_around_a_server_is_none() {
        for program in ["timeout 600", "tini --", "strace -f", "sh run.sh", "python wrap.py"] {
            let outer = around(program);
            let table = [(10, 1, outer.as_str()), (11, 10, SERVER_WORDS)];
            assert_eq!(found(&table, &[]), [11], "{program}");
            assert_eq!(found(&table, &[11]), [11], "{program}");
        }
    }

    #[test]
    fn a_program_around_a_server_that_it_has_yet_to_start_is_none() {
        let outer = around("timeout 600");
        let both = [(10, 1, outer.as_str()), (11, 10, outer.as_str())];
        assert!(found(&both[..1], &[]).is_empty());
        assert!(found(&both, &[]).is_empty(), "its copy neither");
    }

    #[test]
    fn several_programs_may_be_around_a_server() {
        let outer = around("sudo");
        let shell = around("sh run.sh");
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
    fn what_a_server_forks_is_none() {
        let table =
            [(10, 1, SERVER_WORDS), (11, 10, SERVER_WORDS), (12, 10, "python -c spawn_main")];
        assert_eq!(found(&table, &[]), [10]);
        assert_eq!(found(&table, &[10]), [10]);
        assert_eq!(found(&table, &[10, 11, 12]), [10], "it has its parent's sockets");
    }

    #[test]
    fn whoever_answers_on_the_port_is_the_server() {
        let traced = "python coverage run -m sky.server.server --port=46601";
        assert_eq!(found(&[(10, 1, traced)], &[10]), [10]);
        let outer = [(10, 1, SERVER_WORDS), (11, 10, "python -m sky.server.server --port 46601")];
        assert_eq!(found(&outer, &[10]), [10]);
        assert_eq!(found(&outer, &[11]), [11]);
    }

    #[test]
    fn servers_on_other_ports_are_servers_of_their_own() {
        let other = "python -m sky.server.server --port=46602";
        assert_eq!(found(&[(10, 1, SERVER_WORDS), (11, 10, other), (12, 1, "vi")], &[]), [10, 11]);
    }

    #[test]
    fn parents_in_a_circle_are_not_followed_for_ever() {
        let outer = around("sh run.sh");
        let table = [(10, 11, outer.as_str()), (11, 12, "sh"), (12, 11, SERVER_WORDS)];
        assert_eq!(found(&table, &[]), [12]);
    }
}
