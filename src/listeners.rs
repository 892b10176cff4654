//! TCP ports on which a process listens.
//!
//! Expensive to find: `/proc/PID/fd` lists the inodes of a process's sockets, and only the
//! kernel's table of all sockets maps an inode to a port. Reading that table takes 6 ms even
//! when it is short, so it is cached.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// State of a listening socket (`TCP_LISTEN`) in `/proc/net/tcp`.
const TCP_LISTEN: &str = "0A";

/// Lifetime of the cached socket table. Shorter than a second, since callers that find no
/// port ask again after a second and then need a new table.
const CACHE_TTL: Duration = Duration::from_millis(900);

/// Cache of the machine's listening sockets.
#[derive(Debug, Default)]
pub struct Listeners {
    read_at: Option<Instant>,
    /// Port of each listening socket, by the inode of the socket.
    ports: HashMap<u64, u16>,
}

impl Listeners {
    /// Ports on which a process listens; empty if its files cannot be read.
    pub fn ports_of(&mut self, pid: u32) -> Vec<u16> {
        let sockets = sockets_of(pid);
        // Most executors have no socket until their imports end: skip the table for them.
        if sockets.is_empty() {
            return Vec::new();
        }
        if self.read_at.is_none_or(|read_at| read_at.elapsed() > CACHE_TTL) {
            // `/proc/PID/net` instead of `/proc/net`: the process may be in another network
            // namespace.
            let tables = ["tcp", "tcp6"].map(|table| format!("/proc/{pid}/net/{table}"));
            self.ports = tables
                .iter()
                .filter_map(|table| fs::read(table).ok())
                .flat_map(|table| listening_sockets(&String::from_utf8_lossy(&table)))
                .map(|socket| (socket.inode, socket.address.port()))
                .collect();
            self.read_at = Some(Instant::now());
        }
        sockets.iter().filter_map(|inode| self.ports.get(inode)).copied().collect()
    }
}

/// Inodes of a process's sockets; empty if its files cannot be read.
pub fn sockets_of(pid: u32) -> Vec<u64> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    files
        .filter_map(|file| {
            // Descriptors that were closed since the list was read are skipped.
            let target = fs::read_link(file.ok()?.path()).ok()?;
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

/// Listening TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListeningSocket {
    /// Local address and port.
    pub address: SocketAddr,
    /// User id of the socket's owner.
    pub uid: u32,
    /// Inode, the `N` of `socket:[N]` in `/proc/PID/fd`.
    pub inode: u64,
}

/// Listening sockets in the text of `/proc/net/tcp` or `/proc/net/tcp6`.
pub fn listening_sockets(table: &str) -> Vec<ListeningSocket> {
    table.lines().skip(1).filter_map(parse_row).collect()
}

/// Parses `  0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000
/// UID 0 INODE ..`; `None` if the socket does not listen.
fn parse_row(line: &str) -> Option<ListeningSocket> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != TCP_LISTEN {
        return None;
    }
    // The state is followed by the queues, the timer, retransmissions, uid, timeout and inode.
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(ListeningSocket { address: parse_address(local)?, uid, inode })
}

/// Parses `ADDRESS:PORT` in hexadecimal. An address is one 32-bit word or four, each in
/// native byte order.
fn parse_address(text: &str) -> Option<SocketAddr> {
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:C35B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 x 100 0 0 10 0
   1: 0100007F:B5F4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 x 100 0 0 10 0
   2: 0100007F:B5F4 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 333 1 x 20 4 30 10 -1
";

    #[test]
    fn only_listening_sockets_are_returned() {
        let socket = |address: &str, inode| {
            let address = address.parse().unwrap();
            ListeningSocket { address, uid: 0, inode }
        };
        let expected = [socket("127.0.0.1:50011", 111), socket("127.0.0.1:46580", 222)];
        assert_eq!(listening_sockets(TABLE), expected);
    }

    #[test]
    fn ipv4_and_ipv6_addresses_are_parsed() {
        let ip = |text| parse_address(&format!("{text}:0050")).unwrap().ip().to_string();
        assert_eq!(ip("00000000"), "0.0.0.0");
        assert_eq!(ip("00000000000000000000000001000000"), "::1");
        assert_eq!(ip("0000000000000000FFFF00000100007F"), "::ffff:127.0.0.1");
    }

    #[test]
    fn no_table_is_too_odd_to_be_read() {
        crate::changes::try_changes(TABLE.as_bytes(), |table| {
            _ = listening_sockets(&String::from_utf8_lossy(table));
        });
    }

    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(Listeners::default().ports_of(std::process::id()).contains(&port));
        // The parent process must not get the port: it belongs to this process alone.
        assert!(
            !Listeners::default().ports_of(std::os::unix::process::parent_id()).contains(&port)
        );
    }
}
