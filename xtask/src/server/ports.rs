//! Ports of an isolated server.
//!
//! SkyPilot derives the port of its request queue from the API port, and both must be free.
//! The API port is outside of the kernel's range of ephemeral ports. The queue port can be
//! inside, so another process may take it before the server does: the caller then tries
//! another pair.

use anyhow::{Context, Result};
use host::ports::{API_SERVERS, is_free};

/// SkyPilot's default API port, which the user's local server has.
pub(crate) const DEFAULT_API_PORT: u16 = 46580;

/// Free ports of an API and its request queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortPair {
    pub(super) api: u16,
    pub(super) queue: u16,
}

/// Port of the request queue of a server whose API port is `api`, by SkyPilot's formula.
pub(super) fn queue_port(api: u16) -> u16 {
    // SkyPilot computes this in Python, whose `%` is never negative for a positive divisor.
    let offset = (i32::from(api) - i32::from(DEFAULT_API_PORT) + 11).rem_euclid(10_000);
    // Always fits: the sum is at most 59,999.
    u16::try_from(50_000 + offset).unwrap_or(50_011)
}

/// Finds a free pair. Releases whose queue port cannot be changed (`fixed_queue`) get
/// SkyPilot's default one, if it is free.
pub(super) fn find_free(fixed_queue: bool) -> Result<PortPair> {
    API_SERVERS
        .ports()
        .into_iter()
        .map(|api| {
            let queue = if fixed_queue { DEFAULT_API_PORT } else { api };
            PortPair { api, queue: queue_port(queue) }
        })
        .find(|pair| is_free(pair.api) && is_free(pair.queue))
        .with_context(|| {
            if fixed_queue {
                format!(
                    "finding free ports: this SkyPilot release always uses port {} for its request \
                     queue, and that port is taken\n  hint: stop the other API server, or test \
                     SkyPilot 0.14 or newer",
                    queue_port(DEFAULT_API_PORT)
                )
            } else {
                "finding free ports for the API and its request queue".to_owned()
            }
        })
}

/// Finds a free port for the metrics of a server with these ports.
pub(super) fn find_free_for_metrics(of: PortPair) -> Result<u16> {
    let mut ports = API_SERVERS.ports().into_iter();
    let found = ports.find(|port| ![of.api, of.queue].contains(port) && is_free(*port));
    found.context("finding a free port for the server's metrics")
}

/// Whether a server failed to start because another process had taken one of its ports. Found
/// in the server's log, which the error quotes: messages of SkyPilot and of its web server.
pub(super) fn is_port_conflict(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    let messages = ["is already in use", "address already in use"];
    let is_api = text.contains("Port ") && text.contains(" is not available");
    is_api || messages.iter().any(|message| text.contains(message))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use anyhow::anyhow;
    use rstest::rstest;

    use super::*;

    #[test]
    fn queue_ports_are_those_of_skypilot() {
        assert_eq!(queue_port(DEFAULT_API_PORT), 50_011);
        assert_eq!(queue_port(46_680), 50_111);
        assert_eq!(queue_port(46_560), 59_991);
    }

    #[test]
    fn the_api_port_is_outside_of_the_ephemeral_range() {
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let mut ends = range.split_whitespace().map(|end| end.parse::<u16>().unwrap());
        let (first, last) = (ends.next().unwrap(), ends.next().unwrap());
        let found = find_free(false).unwrap();
        // If nearly all ports are ephemeral, there is no room outside.
        assert!(first < 11_000 || !(first..=last).contains(&found.api), "{found:?}");
        assert!((50_000..60_000).contains(&found.queue), "{found:?}");
    }

    #[rstest]
    #[case::of_its_queue(
        "SkyPilot API server fails to start as port 50111 is already in use",
        true
    )]
    #[case::of_its_api("RuntimeError: Port 46700 is not available, exiting.", true)]
    #[case::of_its_web_server(
        "ERROR: [Errno 98] error while attempting to bind on address ('127.0.0.1', 46700): \
         address already in use",
        true
    )]
    #[case::of_nothing("ModuleNotFoundError: No module named 'sky'", false)]
    fn a_taken_port_differs_from_other_failures(#[case] log: &str, #[case] expected: bool) {
        let error = anyhow!("`sky api start` failed (exit status: 1)").context(log.to_owned());
        assert_eq!(is_port_conflict(&error), expected);
    }

    #[test]
    fn metrics_have_a_port_of_their_own() {
        let pair = find_free(false).unwrap();
        let metrics = find_free_for_metrics(pair).unwrap();
        assert!(metrics != pair.api && metrics != pair.queue);
    }

    #[test]
    fn a_taken_port_is_not_found() {
        let first = find_free(false).unwrap();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first.api)).unwrap();
        assert_ne!(find_free(false).unwrap(), first);
    }
}
