//! Target of a profile: the process with the given port or pid. The error for a missing
//! target lists the API servers of this machine.

use anyhow::Result;
use skyload::ids::ProcessIdentity;
use skyload::plan::UsageErrors;
use skyload::process::look_up;

use crate::flags;
use crate::server::{ApiServer, DEFAULT_API_PORT, api_servers};

/// Process tree to profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Root of the tree.
    pub(super) root: ProcessIdentity,
    /// API server in the tree: the root or a descendant; `None` if there is none or several.
    pub(super) server: Option<ApiServer>,
}

/// Finds the target of `--pid` or `--port`.
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
            "--pid: no process with pid {pid} on this machine; {}",
            running_servers(servers)
        )]));
    };
    let is_in_tree = |server: &&ApiServer| server.root == root || is_below(server.root, root);
    let mut in_tree = servers.iter().filter(is_in_tree);
    // With several servers in the tree, none is certain to be the intended one.
    let server = in_tree.next().copied().filter(|_| in_tree.next().is_none());
    Ok(Target { root, server })
}

fn by_port(requested: Option<u16>, servers: &[ApiServer]) -> Result<Target, UsageErrors> {
    let port = requested.unwrap_or(DEFAULT_API_PORT);
    if let Some(server) = servers.iter().find(|server| server.port == port) {
        return Ok(Target { root: server.root, server: Some(*server) });
    }
    let default = if requested.is_some() { "" } else { ", SkyPilot's default" };
    Err(UsageErrors(vec![format!(
        "--port: no API server on port {port}{default} (searched for a process \
         `-m sky.server.server` with this port); {}",
        running_servers(servers)
    )]))
}

impl Target {
    /// Port of the API server in the tree.
    pub(super) fn port(&self) -> Option<u16> {
        self.server.map(|server| server.port)
    }

    /// Description of the target, for messages.
    pub(super) fn describe(&self) -> String {
        let root = self.root;
        match self.server {
            Some(server) if server.root == root => {
                format!("the API server on port {} ({root})", server.port)
            }
            Some(ApiServer { root: server, port }) => format!(
                "{root} and its descendants, including the API server on port {port} ({server})"
            ),
            None => format!("{root} and its descendants"),
        }
    }
}

/// Whether a process is a descendant of `root`.
fn is_below(process: ProcessIdentity, root: ProcessIdentity) -> bool {
    // The parent of pid 1 is 0, which is no process.
    let parent = |pid: &u32| look_up(*pid).map(|process| process.parent).filter(|pid| *pid > 0);
    std::iter::successors(parent(&process.pid), parent).any(|ancestor| ancestor == root.pid)
}

/// List of the API servers of this machine, with a hint.
fn running_servers(servers: &[ApiServer]) -> String {
    let list: Vec<String> =
        servers.iter().map(|server| format!("port {} ({})", server.port, server.root)).collect();
    match servers {
        [] => "no API server runs on this machine\n  hint: start one with `sky api start`, or \
               profile any process and its descendants with --pid P"
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
    fn the_server_on_the_default_port_is_used_without_port() {
        let servers = [server(10, DEFAULT_API_PORT), server(20, 46_601)];
        let chosen = |port| by_port(port, &servers).unwrap().root.pid;
        assert_eq!((chosen(None), chosen(Some(46_601))), (10, 20));
    }

    #[test]
    fn a_server_given_by_pid_has_its_port() {
        let servers = [server(10, 46_601)];
        let target = |pid| by_pid(pid, Some(process(pid)), &servers).unwrap();
        assert_eq!(target(10).port(), Some(46_601));
        assert_eq!(target(10).describe(), "the API server on port 46601 (pid 10)");
        assert_eq!(target(11), Target { root: process(11), server: None });
    }

    #[test]
    fn a_program_around_one_server_has_the_servers_port() {
        // `by_pid` reads real parents, so this process and its parent serve as the tree.
        let (own, parent) = (std::process::id(), std::os::unix::process::parent_id());
        let around =
            |servers: &[ApiServer]| by_pid(parent, Some(process(parent)), servers).unwrap();
        let one = around(&[server(own, 46_601)]);
        assert_eq!((one.root.pid, one.port()), (parent, Some(46_601)));
        assert!(one.describe().contains("the API server on port 46601"), "{}", one.describe());
        assert_eq!(around(&[server(own, 46_601), server(own, 46_602)]).port(), None);
    }

    #[test]
    fn errors_for_a_missing_target_list_the_running_servers() {
        let text = |error: UsageErrors| error.to_string();
        let none = text(by_port(None, &[]).unwrap_err());
        assert!(none.contains("port 46580, SkyPilot's default"), "{none}");
        assert!(none.contains("no API server runs on this machine"), "{none}");
        assert!(none.contains("hint: start one with `sky api start`"), "{none}");
        let one = text(by_port(None, &[server(10, 46_601)]).unwrap_err());
        assert!(one.contains("port 46601 (pid 10)"), "{one}");
        assert!(one.contains("hint: `cargo xtask profile --port 46601`"), "{one}");
        let servers = [server(10, 46_601), server(20, 46_602)];
        let several = text(by_pid(30, None, &servers).unwrap_err());
        assert!(several.contains("no process with pid 30"), "{several}");
        assert!(several.contains("port 46601 (pid 10), port 46602 (pid 20)"), "{several}");
        assert!(several.contains("hint: choose one with --port"), "{several}");
    }
}
