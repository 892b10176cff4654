//! Listening sockets of node processes that other machines can reach.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};

use skyload::ids::ProcessIdentity;
use skyload::listeners::{listening_sockets, sockets_of};

/// Listening TCP sockets of `processes`, which run as the user `uid`, that are not on loopback:
/// address and command line of each.
pub(super) fn exposed_sockets(uid: u32, processes: &[ProcessIdentity]) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read);
    let candidates: HashMap<u64, SocketAddr> = tables
        .iter()
        .flatten()
        .flat_map(|table| listening_sockets(&String::from_utf8_lossy(table)))
        .filter(|listener| listener.uid == uid && !is_loopback(listener.address.ip()))
        .map(|listener| (listener.inode, listener.address))
        .collect();
    // Usually none, which saves reading the file descriptors of all processes.
    if candidates.is_empty() {
        return Vec::new();
    }
    let exposed = processes.iter().flat_map(|process| {
        let found = sockets_of(process.pid).into_iter().filter_map(|inode| candidates.get(&inode));
        found.map(|address| format!("{address} ({})", title(process.pid))).collect::<Vec<_>>()
    });
    exposed.collect()
}

fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
    }
}

/// Beginning of a process's command line.
fn title(pid: u32) -> String {
    const LENGTH: usize = 60;
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    line.trim().chars().take(LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn loopback_has_three_spellings() {
        for (address, expected) in [
            ("127.0.0.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("0.0.0.0", false),
            ("::", false),
        ] {
            assert_eq!(is_loopback(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn a_listener_on_all_interfaces_is_named_and_one_on_loopback_is_not() {
        let open = TcpListener::bind("0.0.0.0:0").unwrap();
        let loopback = TcpListener::bind("127.0.0.1:0").unwrap();
        let me = ProcessIdentity::current().unwrap();
        let exposed = exposed_sockets(nix::unistd::geteuid().as_raw(), &[me]).join("\n");
        assert!(exposed.contains(&open.local_addr().unwrap().to_string()), "{exposed}");
        assert!(!exposed.contains(&loopback.local_addr().unwrap().to_string()), "{exposed}");
    }
}
