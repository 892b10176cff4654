//! On which TCP ports a process waits for connections.
//!
//! A dear question: `/proc` knows a process's sockets only by
//! number, and a number's port only by walking all sockets of the machine, which
//! takes 6 ms even when there are few.

use std::collections::HashMap;
use std::fs;
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
                .flat_map(|table| listeners_in(&String::from_utf8_lossy(&table)))
                .collect();
            self.walked = Some(Instant::now());
        }
        sockets.iter().filter_map(|socket| self.port_of.get(socket)).copied().collect()
    }
}

fn sockets_of(pid: u32) -> Vec<u64> {
    let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    files
        .filter_map(|file| {
            let target = fs::read_link(file.ok()?.path()).ok()?;
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

/// Socket numbers and ports.
fn listeners_in(table: &str) -> Vec<(u64, u16)> {
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let local = fields.nth(1)?;
            let state = fields.nth(1)?;
            let socket = fields.nth(5)?.parse().ok()?;
            let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
            (state == LISTENING).then_some((socket, port))
        })
        .collect()
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
        assert_eq!(listeners_in(TABLE), [(111, 50011), (222, 46580)]);
    }

    #[test]
    fn no_table_is_too_odd_to_be_read() {
        crate::changes::try_changes(TABLE.as_bytes(), |table| {
            _ = listeners_in(&String::from_utf8_lossy(table));
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
