//! Listening sockets of node processes that other machines can reach.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::net::{IpAddr, SocketAddr};

use skyload::ids::ProcessIdentity;
use skyload::listeners::{listening_sockets, sockets_of};

use crate::account::Account;

/// Listening TCP sockets of nodes so far that are not on loopback: address, and command lines of
/// the processes that had each. A process may not be known.
#[derive(Debug, Default)]
pub(super) struct Exposed(BTreeMap<SocketAddr, BTreeSet<String>>);

impl Exposed {
    /// Adds the sockets of `processes`, which run as the user of `account`.
    pub(super) fn update(&mut self, account: Account, processes: &[ProcessIdentity]) {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read);
        let candidates: HashMap<u64, SocketAddr> = tables
            .iter()
            .flatten()
            .flat_map(|table| listening_sockets(&String::from_utf8_lossy(table)))
            .filter(|listener| listener.uid == account.uid && !is_loopback(listener.address.ip()))
            .map(|listener| (listener.inode, listener.address))
            .collect();
        // Usually none, which saves reading the file descriptors of all processes.
        if candidates.is_empty() {
            return;
        }
        // No other processes have this user. Root cannot read whose a socket is without
        // CAP_SYS_PTRACE, as in containers.
        if account.is_nodes_only {
            for address in candidates.values() {
                self.0.entry(*address).or_default();
            }
        }
        for process in processes {
            for inode in sockets_of(process.pid) {
                if let Some(address) = candidates.get(&inode) {
                    self.0.entry(*address).or_default().insert(title(process.pid));
                }
            }
        }
    }

    /// Address and command line of each.
    pub(super) fn lines(&self) -> Vec<String> {
        let lines = self.0.iter().flat_map(|(address, titles)| {
            let unknown = titles.is_empty().then_some("unknown process");
            let titles = titles.iter().map(String::as_str).chain(unknown);
            titles.map(move |title| format!("{address} ({title})"))
        });
        lines.collect()
    }
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

    /// Account of this process.
    fn account(is_nodes_only: bool) -> Account {
        Account { is_nodes_only, ..Account::own() }
    }

    #[test]
    fn a_listener_on_all_interfaces_is_named_and_one_on_loopback_is_not() {
        let open = TcpListener::bind("0.0.0.0:0").unwrap();
        let loopback = TcpListener::bind("127.0.0.1:0").unwrap();
        let me = ProcessIdentity::current().unwrap();
        let mut exposed = Exposed::default();
        exposed.update(account(false), &[me]);
        let exposed = exposed.lines().join("\n");
        assert!(exposed.contains(&open.local_addr().unwrap().to_string()), "{exposed}");
        assert!(!exposed.contains(&loopback.local_addr().unwrap().to_string()), "{exposed}");
    }

    #[test]
    fn a_listener_of_the_nodes_user_is_named_where_its_process_is_not_known() {
        let open = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = open.local_addr().unwrap();
        let unknown = format!("{address} (unknown process)");
        let mut exposed = Exposed::default();
        exposed.update(account(false), &[]);
        assert_eq!(exposed.lines(), [""; 0], "may belong to any process");
        exposed.update(account(true), &[]);
        assert!(exposed.lines().contains(&unknown), "{exposed:?}");
        exposed.update(account(true), &[ProcessIdentity::current().unwrap()]);
        let lines = exposed.lines();
        let known = lines.iter().filter(|line| line.starts_with(&format!("{address} (")));
        assert_eq!(known.count(), 1, "{lines:?}");
        assert!(!lines.contains(&unknown), "{lines:?}");
    }
}
