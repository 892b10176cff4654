//! Ports of an API server: the API's, and the queue manager's, which is derived from it.

use anyhow::bail;

/// Port of the queue manager of an API server on `port`.
///
/// SkyPilot derives one from the other, so that several servers can run on one machine.
pub fn queue_port(port: u16) -> u16 {
    const DEFAULT_PORT: i32 = 46580;
    // SkyPilot's formula: 50011 for the default port, always within 50000 to 59999.
    let offset = (11 + i32::from(port) - DEFAULT_PORT).rem_euclid(10_000);
    50_000 + u16::try_from(offset).unwrap_or_default()
}

/// API port that is free now, like the queue port derived from it.
///
/// API ports are even, so queue ports are odd: Linux prefers even ports for outgoing
/// connections (`__inet_hash_connect`), so that these rarely take a queue port.
///
/// # Errors
///
/// When 100 random ports are in use.
pub fn free_port() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let port = 20_000 + fastrand::u16(..5_000) * 2;
        if is_free(port) && is_free(queue_port(port)) {
            return Ok(port);
        }
    }
    bail!("no free pair of API port and queue port after 100 attempts")
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
