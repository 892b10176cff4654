//! Ports on loopback that nobody else is given by chance.
//!
//! The kernel hands out ports to connections from a range of its own. A connection to a
//! port of that range may come to hold it itself, and then nobody can listen there: what
//! is to listen is therefore given a port below that range.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

/// Ports to choose from: `count` from `first` on, or lower where the kernel's own range
/// begins earlier. No two kinds of ours overlap, and where they are, they are none that
/// SkyPilot begins at (20001, 30001, 46580) or that services are registered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    first: u16,
    count: u16,
    /// How many ports next to the kernel's are those of other kinds.
    others: u16,
}

/// API servers.
pub const API_SERVERS: Choice = Choice { first: 29_200, count: 700, others: 0 };
/// Daemons of the loopback infrastructure.
pub const DAEMONS: Choice = Choice { first: 23_000, count: 1_000, others: API_SERVERS.count };
/// Services that scenarios share.
pub const SERVICES: Choice =
    Choice { first: 22_200, count: 700, others: API_SERVERS.count + DAEMONS.count };

/// Below are ports that need privileges, and many well-known ones.
const LOWEST: u16 = 10_000;

impl Choice {
    /// The ports, in an order in which different processes begin in different places.
    pub fn ports(self) -> Vec<u16> {
        let read = |name| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
        let range = read("ip_local_port_range").unwrap_or_default();
        let reserved = read("ip_local_reserved_ports").unwrap_or_default();
        let pid = std::process::id();
        let offset = u16::try_from(pid % u32::from(self.count)).unwrap_or(0);
        let mut ports = self.outside(&range, &reserved);
        let middle = usize::from(offset).min(ports.len());
        ports.rotate_left(middle);
        ports
    }

    /// Those of its ports that are neither handed out by the kernel nor reserved.
    fn outside(self, range: &str, reserved: &str) -> Vec<u16> {
        let begin = range.split_whitespace().next().and_then(|first| first.parse::<u16>().ok());
        let highest = begin.and_then(|begin| begin.checked_sub(self.others + self.count));
        let first = match highest {
            Some(highest) if highest >= LOWEST => highest.min(self.first),
            // Below a range that begins that early there is no room.
            _ => self.first,
        };
        let reserved = ranges(reserved);
        let is_reserved =
            |port: u16| reserved.iter().any(|(first, last)| (*first..=*last).contains(&port));
        (first..first + self.count).filter(|port| !is_reserved(*port)).collect()
    }
}

/// Whether nobody listens there.
pub fn is_free(port: u16) -> bool {
    is_free_on(Ipv4Addr::LOCALHOST, port)
}

/// Whether somebody could listen there: on all addresses, only where nobody does on any.
pub fn is_free_on(address: Ipv4Addr, port: u16) -> bool {
    TcpListener::bind((address, port)).is_ok()
}

/// A list such as `8080,9000-9100`.
fn ranges(list: &str) -> Vec<(u16, u16)> {
    let of = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    list.trim().split(',').filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_lie_below_those_that_the_kernel_hands_out() {
        let choice = Choice { first: 29_200, count: 700, others: 0 };
        let ends = |range: &str| {
            let ports = choice.outside(range, "");
            (ports[0], ports[ports.len() - 1])
        };
        assert_eq!(ends("32768\t60999\n"), (29_200, 29_899));
        assert_eq!(ends("15000\t64000\n"), (14_300, 14_999));
        assert_eq!(ends("29500\t64000\n"), (28_800, 29_499));
        // There is no room below, so the kernel's are as good as any.
        assert_eq!(ends("1024\t65535\n"), (29_200, 29_899));
        assert_eq!(ends(""), (29_200, 29_899));
    }

    #[test]
    fn no_two_kinds_overlap_wherever_the_kernels_range_begins() {
        for begin in 0..=u16::MAX {
            let ends = |choice: Choice| {
                let ports = choice.outside(&format!("{begin}\t65535"), "");
                (ports[0], ports[ports.len() - 1])
            };
            let mut kinds = [SERVICES, DAEMONS, API_SERVERS].map(ends);
            kinds.sort_unstable();
            let apart = kinds.windows(2).all(|two| two[0].1 < two[1].0);
            assert!(apart, "{begin}: {kinds:?}");
        }
    }

    #[test]
    fn reserved_ports_are_left_to_those_they_are_reserved_for() {
        let choice = Choice { first: 29_200, count: 5, others: 0 };
        assert_eq!(choice.outside("", "80,29201,29203-29300\n"), [29_200, 29_202]);
    }

    #[test]
    fn this_machine_has_ports_of_each_kind() {
        for choice in [API_SERVERS, DAEMONS, SERVICES] {
            assert!(choice.ports().into_iter().any(is_free));
        }
    }
}
