//! On which TCP ports a process waits for connections.
//!
//! The dear question of the profiler: `/proc` knows a process's sockets only by
//! number, and a number's port only by searching all sockets of its network.

use std::fs;

/// A connection's state in `/proc/net/tcp` when it is none yet.
const LISTENING: &str = "0A";

/// The ports, or none when they cannot be read.
pub(super) fn listening_ports(pid: u32) -> Vec<u16> {
    let sockets = sockets_of(pid);
    // Most executors have none until their imports end, and the tables are long.
    if sockets.is_empty() {
        return Vec::new();
    }
    let mut ports: Vec<u16> = ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|table| ports_in(&table, &sockets))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
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

fn ports_in(table: &str, sockets: &[u64]) -> Vec<u16> {
    table
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace();
            let local = fields.nth(1)?;
            let is_listening = fields.nth(1)? == LISTENING;
            if !is_listening {
                return None;
            }
            let socket = fields.nth(5)?.parse().ok()?;
            let port = local.rsplit_once(':')?.1;
            sockets.contains(&socket).then(|| u16::from_str_radix(port, 16).ok()).flatten()
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
    fn only_the_processs_own_waiting_sockets_count() {
        assert_eq!(ports_in(TABLE, &[111, 333]), [50011]);
        assert_eq!(ports_in(TABLE, &[333]), Vec::<u16>::new());
    }

    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(listening_ports(std::process::id()).contains(&port));
    }
}
