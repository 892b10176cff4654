//! On which TCP ports a process waits for connections.
//!
//! A dear question: `/proc` knows a process's sockets only by
//! number, and a number's port only by walking all sockets of the machine, which
//! takes 6 ms even when there are few.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// A connection's state in `/proc/net/tcp` when it is none yet.
const LISTENING: &str = "0A";

/// For how long one walk serves all processes. Who asks again does so a second
/// later, and gets a new one.
const SERVES: Duration = Duration::from_millis(900);

/// The sockets of the machine that wait for connections, as of some moment ago.
#[derive(Debug, Default)]
pub struct Listeners {
    walked: Option<Instant>,
    port_of: HashMap<u64, u16>,
}

impl Listeners {
    /// The ports of one process, as far as they can be read.
    pub fn ports_of(&mut self, pid: u32) -> Vec<u16> {
        let sockets = sockets_of(pid);
        // Most executors have none until their imports end.
        if sockets.is_empty() {
            return Vec::new();
        }
        if self.walked.is_none_or(|walked| walked.elapsed() > SERVES) {
            // Through the process, which may live in a network of its own.
            let tables = ["tcp", "tcp6"].map(|table| format!("/proc/{pid}/net/{table}"));
            self.port_of = tables
                .iter()
                .filter_map(|table| fs::read(table).ok())
                .flat_map(|table| listening(&String::from_utf8_lossy(&table)))
                .map(|found| (found.socket, found.address.port()))
                .collect();
            self.walked = Some(Instant::now());
        }
        sockets.iter().filter_map(|socket| self.port_of.get(socket)).copied().collect()
    }
}

/// The numbers of a process's sockets, as far as they can be read.
pub fn sockets_of(pid: u32) -> Vec<u64> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    files
        .filter_map(|file| {
            let target = fs::read_link(file.ok()?.path()).ok()?;
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

/// A socket that waits for connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    /// Whose it is.
    pub uid: u32,
    /// Its number.
    pub socket: u64,
}

/// Those of one of the kernel's tables, `/proc/net/tcp` or `/proc/net/tcp6`.
pub fn listening(table: &str) -> Vec<Listening> {
    table.lines().skip(1).filter_map(row).collect()
}

/// Reads `  0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000
/// UID 0 SOCKET ..`.
fn row(line: &str) -> Option<Listening> {
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != LISTENING {
        return None;
    }
    let uid = fields.nth(3)?.parse().ok()?;
    let socket = fields.nth(1)?.parse().ok()?;
    Some(Listening { address: address(local)?, uid, socket })
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
    fn only_sockets_that_wait_for_connections_count() {
        let found =
            |address: &str, socket| Listening { address: address.parse().unwrap(), uid: 0, socket };
        let expected = [found("127.0.0.1:50011", 111), found("127.0.0.1:46580", 222)];
        assert_eq!(listening(TABLE), expected);
    }

    #[test]
    fn addresses_of_both_families_are_read() {
        let ip = |text| address(&format!("{text}:0050")).unwrap().ip().to_string();
        assert_eq!(ip("00000000"), "0.0.0.0");
        assert_eq!(ip("00000000000000000000000001000000"), "::1");
        assert_eq!(ip("0000000000000000FFFF00000100007F"), "::ffff:127.0.0.1");
    }

    #[test]
    fn no_table_is_too_odd_to_be_read() {
        crate::changes::try_changes(TABLE.as_bytes(), |table| {
            _ = listening(&String::from_utf8_lossy(table));
        });
    }

    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(Listeners::default().ports_of(std::process::id()).contains(&port));
        // The same walk tells that it is nobody else's.
        assert!(
            !Listeners::default().ports_of(std::os::unix::process::parent_id()).contains(&port)
        );
    }
}
