//! Ports for a server of our own.
//!
//! SkyPilot derives the port of its request queue from that of its API; both must
//! be free. The queue's lies in the range from which the system hands out ports,
//! so a start can fail by chance: the caller then tries another pair.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// SkyPilot's own port, which belongs to the user's own server.
pub(crate) const DEFAULT_API_PORT: u16 = 46580;

/// Where API ports of ours begin, and how many there are to choose from.
const FIRST: u16 = 46_600;
const CHOICE: u16 = 1_000;

/// A free pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortPair {
    pub(super) api: u16,
    pub(super) queue: u16,
}

/// The queue's port of a server whose API port is `api`.
pub(super) fn queue_port(api: u16) -> u16 {
    let offset = (i32::from(api) - i32::from(DEFAULT_API_PORT) + 11).rem_euclid(10_000);
    u16::try_from(50_000 + offset).unwrap_or(50_011)
}

/// Finds a free pair. Releases whose queue cannot be moved (`fixed_queue`) get
/// SkyPilot's own queue port, if it is free.
pub(super) fn find_free(fixed_queue: bool) -> Result<PortPair> {
    // Different processes begin their search in different places.
    let offset = u16::try_from(std::process::id() % u32::from(CHOICE)).unwrap_or(0);
    (0..CHOICE)
        .map(|step| FIRST + (offset + step) % CHOICE)
        .map(|api| {
            let queue = if fixed_queue { DEFAULT_API_PORT } else { api };
            PortPair { api, queue: queue_port(queue) }
        })
        .find(|pair| is_free(pair.api) && is_free(pair.queue))
        .with_context(|| {
            if fixed_queue {
                format!(
                    "finding free ports: this release of SkyPilot always puts its queue on port \
                     {}, which is taken\n  hint: stop the other API server first, or test a release \
                     since 0.14",
                    queue_port(DEFAULT_API_PORT)
                )
            } else {
                "finding a free pair of ports".to_owned()
            }
        })
}

pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_of_the_default_server_is_on_its_well_known_port() {
        assert_eq!(queue_port(DEFAULT_API_PORT), 50_011);
        assert_eq!(queue_port(46_680), 50_111);
        assert_eq!(queue_port(46_560), 59_991);
    }

    #[test]
    fn a_taken_port_is_not_found() {
        let first = find_free(false).unwrap();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first.api)).unwrap();
        assert_ne!(find_free(false).unwrap(), first);
    }
}
