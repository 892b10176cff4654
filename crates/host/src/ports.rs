//! Loopback ports to listen on, outside of the kernel's range of ephemeral ports.
//!
//! A client that connects to an ephemeral port before the daemon listens may be assigned this
//! very port as its own (a TCP self-connection), and the daemon's `bind` then fails. So daemons
//! get ports below that range.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

/// Range of `count` ports, from `first` on or lower if the kernel's ephemeral range begins
/// earlier. The ranges of skyload do not overlap. By default they avoid SkyPilot's first ports
/// (20001, 30001, 46580) and the ports of registered services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    count: u16,
    /// Number of ports between this range and the kernel's that belong to other ranges of
    /// skyload.
    above: u16,
}

/// Ports of API servers.
pub const API_SERVERS: PortRange = PortRange { first: 29_200, count: 700, above: 0 };
/// Ports of the daemons of a loopback Slurm cluster.
pub const DAEMONS: PortRange = PortRange { first: 23_000, count: 1_000, above: API_SERVERS.count };
/// Ports of the services that scenarios share.
pub const SERVICES: PortRange =
    PortRange { first: 22_200, count: 700, above: API_SERVERS.count + DAEMONS.count };

/// Lowest first port of a range: lower ones are privileged or well-known.
const LOWEST: u16 = 10_000;

impl PortRange {
    /// Ports of the range, rotated by this process's pid so that concurrent processes try
    /// different ones first.
    pub fn ports(self) -> Vec<u16> {
        // These files exist on Linux only. Without them, the range begins at its default.
        let read = |name| fs::read_to_string(format!("/proc/sys/net/ipv4/{name}"));
        let range = read("ip_local_port_range").unwrap_or_default();
        let reserved = read("ip_local_reserved_ports").unwrap_or_default();
        let pid = std::process::id();
        let offset = u16::try_from(pid % u32::from(self.count)).unwrap_or(0);
        let mut ports = self.outside(&range, &reserved);
        // Without the reserved ports, there may be fewer than `count`.
        let middle = usize::from(offset).min(ports.len());
        ports.rotate_left(middle);
        ports
    }

    /// Ports outside of the kernel's ephemeral `range` that are not `reserved`, both in the
    /// format of `/proc/sys/net/ipv4/ip_local_*`.
    fn outside(self, range: &str, reserved: &str) -> Vec<u16> {
        let begin = range.split_whitespace().next().and_then(|first| first.parse::<u16>().ok());
        // Leaves room for the ranges above, which move down with the ephemeral range, too.
        let highest = begin.and_then(|begin| begin.checked_sub(self.above + self.count));
        let first = match highest {
            Some(highest) if highest >= LOWEST => highest.min(self.first),
            // No room below the ephemeral range: the overlap cannot be avoided.
            _ => self.first,
        };
        let reserved = ranges(reserved);
        let is_reserved =
            |port: u16| reserved.iter().any(|(first, last)| (*first..=*last).contains(&port));
        // The sum fits: `first` is at most `self.first`, and no range ends above 30,000.
        (first..first + self.count).filter(|port| !is_reserved(*port)).collect()
    }
}

/// Whether `port` of 127.0.0.1 can be bound.
pub fn is_free(port: u16) -> bool {
    is_free_on(Ipv4Addr::LOCALHOST, port)
}

/// Whether `port` of `address` can be bound. With the unspecified address, only if no process
/// listens on that port of any address.
pub fn is_free_on(address: Ipv4Addr, port: u16) -> bool {
    // Rust binds with SO_REUSEADDR, so a port with connections in TIME_WAIT is free.
    TcpListener::bind((address, port)).is_ok()
}

/// First and last port of each range in a list such as `8080,9000-9100`.
fn ranges(list: &str) -> Vec<(u16, u16)> {
    let parse = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    list.trim().split(',').filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_below_the_ephemeral_range() {
        let range = PortRange { first: 29_200, count: 700, above: 0 };
        let ends = |ephemeral: &str| {
            let ports = range.outside(ephemeral, "");
            (ports[0], ports[ports.len() - 1])
        };
        assert_eq!(ends("32768\t60999\n"), (29_200, 29_899));
        assert_eq!(ends("15000\t64000\n"), (14_300, 14_999));
        assert_eq!(ends("29500\t64000\n"), (28_800, 29_499));
        // No room below the ephemeral range.
        assert_eq!(ends("1024\t65535\n"), (29_200, 29_899));
        assert_eq!(ends(""), (29_200, 29_899));
    }

    #[test]
    fn ranges_never_overlap_wherever_the_ephemeral_range_begins() {
        for begin in 0..=u16::MAX {
            let ends = |range: PortRange| {
                let ports = range.outside(&format!("{begin}\t65535"), "");
                (ports[0], ports[ports.len() - 1])
            };
            let mut ranges = [SERVICES, DAEMONS, API_SERVERS].map(ends);
            ranges.sort_unstable();
            let apart = ranges.windows(2).all(|two| two[0].1 < two[1].0);
            assert!(apart, "{begin}: {ranges:?}");
        }
    }

    #[test]
    fn reserved_ports_are_not_used() {
        let range = PortRange { first: 29_200, count: 5, above: 0 };
        assert_eq!(range.outside("", "80,29201,29203-29300\n"), [29_200, 29_202]);
    }

    #[test]
    fn each_range_has_free_ports_on_this_machine() {
        for range in [API_SERVERS, DAEMONS, SERVICES] {
            assert!(range.ports().into_iter().any(is_free));
        }
    }
}
