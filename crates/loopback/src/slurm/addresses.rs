//! IPv4 addresses of this machine, by which glibc decides whether IPv4 can be used at all.
//!
//! Slurm asks `getaddrinfo` for IPv4 addresses with `AI_ADDRCONFIG`. On a machine whose only
//! address is 127.0.0.1, such as a network namespace with nothing but loopback, glibc then finds
//! no address even for 127.0.0.1: the step daemon cannot report the end of a job, and its node
//! stays `completing`.

use std::fs;
use std::net::Ipv4Addr;

/// Table of the kernel with all local IPv4 addresses.
const TABLE: &str = "/proc/net/fib_trie";

/// Whether the machine has an IPv4 address besides 127.0.0.1. Without the kernel's table, it is
/// taken to have one, as nearly all machines do.
pub(super) fn has_ipv4_besides_loopback() -> bool {
    fs::read_to_string(TABLE)
        .map_or(true, |table| local_addresses(&table).any(|address| address != Ipv4Addr::LOCALHOST))
}

/// Local addresses in the kernel's table: each is a line with the address, followed by one that
/// says that the address is local.
fn local_addresses(table: &str) -> impl Iterator<Item = Ipv4Addr> {
    let lines = table.lines().zip(table.lines().skip(1));
    let local = lines.filter(|(_, next)| next.trim() == "/32 host LOCAL");
    local.filter_map(|(line, _)| line.trim().strip_prefix("|-- ")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "Main:
  +-- 0.0.0.0/0 3 0 5
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
        |-- 127.0.0.1
           /32 host LOCAL
     |-- 127.255.255.255
        /32 link BROADCAST
";

    #[test]
    fn a_namespace_with_nothing_but_loopback_has_one_address() {
        assert_eq!(local_addresses(LOOPBACK).collect::<Vec<_>>(), [Ipv4Addr::LOCALHOST]);
    }

    #[test]
    fn addresses_of_other_interfaces_are_found() {
        let table = format!("{LOOPBACK}        |-- 10.1.2.3\n           /32 host LOCAL\n");
        let found: Vec<_> = local_addresses(&table).collect();
        assert_eq!(found, [Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 1, 2, 3)]);
    }
}
