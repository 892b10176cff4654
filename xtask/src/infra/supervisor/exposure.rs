//! Which sockets of the nodes can be reached from elsewhere than this machine.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use skyload::ids::ProcessIdentity;

/// A connection's state in `/proc/net/tcp` when it is none yet.
const LISTENING: &str = "0A";

/// A socket that waits for connections.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listener {
    address: SocketAddr,
    uid: u32,
    inode: u64,
}

/// The sockets of `members`, who run as `uid`, that wait for connections from
/// elsewhere: address and process of each.
pub(super) fn of(uid: u32, members: &[ProcessIdentity]) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read);
    let suspects: HashMap<u64, SocketAddr> = tables
        .iter()
        .flatten()
        .flat_map(|table| listeners(&String::from_utf8_lossy(table)))
        .filter(|listener| listener.uid == uid && !is_loopback(listener.address.ip()))
        .map(|listener| (listener.inode, listener.address))
        .collect();
    // Whose they are is dear to find out, and there should be none.
    if suspects.is_empty() {
        return Vec::new();
    }
    let exposed = members.iter().flat_map(|member| {
        let found = sockets_of(member.pid).into_iter().filter_map(|inode| suspects.get(&inode));
        found.map(|address| format!("{address} ({})", title(member.pid))).collect::<Vec<_>>()
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

fn listeners(table: &str) -> Vec<Listener> {
    table.lines().skip(1).filter_map(listener).collect()
}

/// Reads `  0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000
/// UID 0 INODE ..`.
fn listener(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if fields.get(3) != Some(&LISTENING) {
        return None;
    }
    Some(Listener {
        address: address(fields.get(1)?)?,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// Addresses are words of 32 bits, each in the machine's own order.
fn address(text: &str) -> Option<SocketAddr> {
    let (digits, port) = text.split_once(':')?;
    let word = |at: usize| {
        let word = u32::from_str_radix(digits.get(at * 8..(at + 1) * 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip = if digits.len() == 8 {
        IpAddr::from(Ipv4Addr::from(word(0)?))
    } else {
        let mut octets = [0; 16];
        for at in 0..4 {
            octets[at * 4..][..4].copy_from_slice(&word(at)?);
        }
        IpAddr::from(Ipv6Addr::from(octets))
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

fn sockets_of(pid: u32) -> Vec<u64> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let sockets = files.filter_map(|file| {
        let target = fs::read_link(file.ok()?.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    });
    sockets.collect()
}

/// The beginning of its command line.
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

    const HEAD: &str = "  sl  local_address rem_address   st tx_queue rx_queue\n";

    #[test]
    fn listeners_are_read_from_the_kernels_table() {
        let table = format!(
            "{HEAD}   0: 00000000:B5FE 00000000:0000 0A 00000000:00000000 00:00000000 00000000 \
             59046 0 4711 1 0 100 0\n   1: 0100007F:B5FF 0100007F:1000 01 00000000:00000000 \
             00:00000000 00000000 0 0 4712 1\n"
        );
        let expected =
            Listener { address: "0.0.0.0:46590".parse().unwrap(), uid: 59046, inode: 4711 };
        assert_eq!(listeners(&table), [expected]);
    }

    #[test]
    fn no_table_is_too_odd_to_be_read() {
        let row =
            "   0: 00000000:B5FE 00000000:0000 0A 00000000:00000000 00:00000000 00000000 59046";
        let table = format!("{HEAD}{row} 0 4711 1 0 100 0\n");
        crate::changes::try_changes(table.as_bytes(), |table| {
            _ = listeners(&String::from_utf8_lossy(table));
        });
    }

    #[test]
    fn loopback_has_three_spellings() {
        let ip = |text| address(&format!("{text}:0050")).unwrap().ip();
        assert!(is_loopback(ip("0100007F")));
        assert!(is_loopback(ip("00000000000000000000000001000000")));
        assert!(is_loopback(ip("0000000000000000FFFF00000100007F")));
        assert!(!is_loopback(ip("00000000")));
        assert!(!is_loopback(ip("00000000000000000000000000000000")));
    }

    #[test]
    fn a_listener_on_all_interfaces_is_named_and_one_on_loopback_is_not() {
        let open = TcpListener::bind("0.0.0.0:0").unwrap();
        let loopback = TcpListener::bind("127.0.0.1:0").unwrap();
        let me = ProcessIdentity::current().unwrap();
        let exposed = of(nix::unistd::geteuid().as_raw(), &[me]).join("\n");
        assert!(exposed.contains(&open.local_addr().unwrap().to_string()), "{exposed}");
        assert!(!exposed.contains(&loopback.local_addr().unwrap().to_string()), "{exposed}");
    }
}
