//! Which process a profile is about: found by port or by pid, or not at all, and then
//! it is said what there is instead.

use anyhow::Result;
use skyload::ids::ProcessIdentity;
use skyload::plan::UsageErrors;
use skyload::process::look_up;

use crate::flags;
use crate::server::{ApiServer, DEFAULT_API_PORT, api_servers};

/// The root of the tree that is profiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) root: ProcessIdentity,
    /// The API server that it is, or has started.
    pub(super) server: Option<ApiServer>,
}

/// Finds what was asked for.
pub(super) fn find(flags: &flags::Profile) -> Result<Target> {
    let servers = api_servers()?;
    let found = match flags.pid {
        Some(pid) => by_pid(pid, ProcessIdentity::of(pid), &servers),
        None => by_port(flags.port, &servers),
    };
    Ok(found?)
}

fn by_pid(
    pid: u32,
    process: Option<ProcessIdentity>,
    servers: &[ApiServer],
) -> Result<Target, UsageErrors> {
    let Some(root) = process else {
        return Err(UsageErrors(vec![format!(
            "--pid: no process with pid {pid} runs here; {}",
            seen(servers)
        )]));
    };
    let is_it = |server: &&ApiServer| server.root == root || is_below(server.root, root);
    let mut of_it = servers.iter().filter(is_it);
    // Of several none is the one that is meant.
    let server = of_it.next().copied().filter(|_| of_it.next().is_none());
    Ok(Target { root, server })
}

fn by_port(asked: Option<u16>, servers: &[ApiServer]) -> Result<Target, UsageErrors> {
    let port = asked.unwrap_or(DEFAULT_API_PORT);
    if let Some(server) = servers.iter().find(|server| server.port == port) {
        return Ok(Target { root: server.root, server: Some(*server) });
    }
    let whose = if asked.is_some() { "" } else { ", SkyPilot's own" };
    Err(UsageErrors(vec![format!(
        "--port: no API server answers on port {port}{whose} (looked for a process \
         `-m sky.server.server` with that port); {}",
        seen(servers)
    )]))
}

impl Target {
    /// Where its server answers, if there is one.
    pub(super) fn port(&self) -> Option<u16> {
        self.server.map(|server| server.port)
    }

    /// What is profiled, in words.
    pub(super) fn describe(&self) -> String {
        let root = self.root;
        match self.server {
            Some(server) if server.root == root => {
                format!("the API server on port {} ({root})", server.port)
            }
            Some(ApiServer { root: server, port }) => format!(
                "{root} and all that it starts: the API server on port {port} ({server}) among it"
            ),
            None => format!("{root} and all that it starts"),
        }
    }
}

/// Whether a process descends from another.
fn is_below(process: ProcessIdentity, root: ProcessIdentity) -> bool {
    let parent = |pid: &u32| look_up(*pid).map(|seen| seen.parent).filter(|pid| *pid > 0);
    std::iter::successors(parent(&process.pid), parent).any(|ancestor| ancestor == root.pid)
}

/// What there is, and what to type.
fn seen(servers: &[ApiServer]) -> String {
    let list: Vec<String> =
        servers.iter().map(|server| format!("port {} ({})", server.port, server.root)).collect();
    match servers {
        [] => "no API server runs on this machine\n  hint: `sky api start` starts one; --pid P \
               profiles any process and all that it starts"
            .to_owned(),
        [server] => format!(
            "an API server runs on {}\n  hint: `cargo xtask profile --port {}`",
            list.join(", "),
            server.port
        ),
        _ => format!(
            "API servers run on {}\n  hint: choose one with --port, or any process with --pid",
            list.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(pid: u32, port: u16) -> ApiServer {
        ApiServer { root: process(pid), port }
    }

    fn process(pid: u32) -> ProcessIdentity {
        ProcessIdentity { pid, started: 1 }
    }

    #[test]
    fn the_server_on_skypilots_own_port_is_taken_unless_another_is_named() {
        let servers = [server(10, DEFAULT_API_PORT), server(20, 46_601)];
        let chosen = |port| by_port(port, &servers).unwrap().root.pid;
        assert_eq!((chosen(None), chosen(Some(46_601))), (10, 20));
    }

    #[test]
    fn a_server_that_is_named_by_its_pid_has_its_port() {
        let servers = [server(10, 46_601)];
        let target = |pid| by_pid(pid, Some(process(pid)), &servers).unwrap();
        assert_eq!(target(10).port(), Some(46_601));
        assert_eq!(target(10).describe(), "the API server on port 46601 (pid 10)");
        assert_eq!(target(11), Target { root: process(11), server: None });
    }

    #[test]
    fn a_program_around_one_server_has_its_port() {
        let (me, mine) = (std::process::id(), std::os::unix::process::parent_id());
        let around = |servers: &[ApiServer]| by_pid(mine, Some(process(mine)), servers).unwrap();
        let one = around(&[server(me, 46_601)]);
        assert_eq!((one.root.pid, one.port()), (mine, Some(46_601)));
        assert!(one.describe().contains("the API server on port 46601"), "{}", one.describe());
        assert_eq!(around(&[server(me, 46_601), server(me, 46_602)]).port(), None);
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let words = |error: UsageErrors| error.to_string();
        let none = words(by_port(None, &[]).unwrap_err());
        assert!(none.contains("port 46580, SkyPilot's own"), "{none}");
        assert!(none.contains("no API server runs on this machine"), "{none}");
        assert!(none.contains("hint: `sky api start`"), "{none}");
        let one = words(by_port(None, &[server(10, 46_601)]).unwrap_err());
        assert!(one.contains("port 46601 (pid 10)"), "{one}");
        assert!(one.contains("hint: `cargo xtask profile --port 46601`"), "{one}");
        let servers = [server(10, 46_601), server(20, 46_602)];
        let several = words(by_pid(30, None, &servers).unwrap_err());
        assert!(several.contains("no process with pid 30"), "{several}");
        assert!(several.contains("port 46601 (pid 10), port 46602 (pid 20)"), "{several}");
        assert!(several.contains("hint: choose one with --port"), "{several}");
    }
}
