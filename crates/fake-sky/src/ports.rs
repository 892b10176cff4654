//! The two ports of an API server: its own, and the queue manager's, which follows from it.

use anyhow::bail;

/// The port of the queue manager beside an API server on `port`.
///
/// SkyPilot derives it, so that several servers can share a machine.
pub fn queue_port(port: u16) -> u16 {
    const DEFAULT_PORT: i32 = 46580;
    let offset = (11 + i32::from(port) - DEFAULT_PORT).rem_euclid(10_000);
    50_000 + u16::try_from(offset).unwrap_or_default()
}

/// A port that is free now, together with the queue port derived from it, which is odd:
/// connections are given even ports as long as there are any (Linux's
/// `__inet_hash_connect`).
///
/// # Errors
///
/// When many that were tried are taken.
pub fn free_port() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let port = 20_000 + fastrand::u16(..5_000) * 2;
        if is_free(port) && is_free(queue_port(port)) {
            return Ok(port);
        }
    }
    bail!("no pair of free ports found")
}

fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::queue_port;

    #[test]
    fn the_queue_port_is_derived_as_skypilot_does() {
        assert_eq!(queue_port(46580), 50011);
        assert_eq!(queue_port(46680), 50111);
        assert_eq!(queue_port(20000), 53431);
    }
}
