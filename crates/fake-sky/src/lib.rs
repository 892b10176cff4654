//! A stand-in for SkyPilot, so that every hermetic test runs without Python.
//!
//! Why a third package exists: the library's hermetic tests and the CLI tests
//! of `xtask` both need the API server and its executors as real *processes*
//! (with a pid, a command line, and memory of a known size), and cargo offers a
//! test only the programs of its own package. So the program lives here, and
//! both ask this library where it is.
//!
//! The program, `fake-sky`, plays every role by how it is called:
//!
//! * the `sky` command line: `api start|stop|status|info`, `status`, `launch`,
//!   `logs`, `jobs launch|queue`, `serve status` (`program::cli`,
//!   `program::client`);
//! * `python -m sky.server.server --host=H --port=N`, the server, with the HTTP
//!   protocol of SkyPilot 0.14.1 (`program::server`);
//! * the server's children: executors that hold known memory, the queue
//!   manager, the resource tracker (`program::executor`, `program::bystander`);
//! * `constants`: what SkyPilot's own config module would say of its budgets;
//! * `crew`: no server, but processes whose memory is known, for measuring what
//!   profilers see of them ([`crew`]).
//!
//! By default the server has no infrastructure, as a real one without a cloud.
//! The knob `FAKE_SKY_INFRA` gives it one: clusters come up, jobs run as long as
//! the `sleep` in them says, services become ready, all by the clock
//! (`program::server::cloud`).
//!
//! What differs from the real one is in size and speed, never in shape. How it
//! behaves, and misbehaves, is set by environment variables: see [`knobs`].
//!
//! Tests start here: [`FakeServer::start`] for a server of one's own,
//! [`executable`] for the path to give to `--sky`.

pub mod crew;
mod executable;
mod fake_server;
pub mod grants;
pub mod http;
pub mod knobs;
pub mod odd_name;
pub mod procfs;

pub use executable::executable;
pub use fake_server::{FakeServer, free_port, kill_instance, processes_of};

/// The version that the stand-in claims to be.
pub const VERSION: &str = "0.14.1";
/// The commit that the stand-in claims to be built from.
pub const COMMIT: &str = "7e595970a806dcc9eefadf459f399edf1733e962";
/// The version of the HTTP protocol that the stand-in speaks.
pub const API_VERSION: u32 = 62;
/// The user of a client and of a server that were told of none.
pub const DEFAULT_USER_ID: &str = "fcd1e5cf";

/// The port of the queue manager beside an API server on `port`.
///
/// SkyPilot derives it, so that several servers can share a machine.
pub fn queue_port(port: u16) -> u16 {
    const DEFAULT_PORT: i32 = 46580;
    let offset = (11 + i32::from(port) - DEFAULT_PORT).rem_euclid(10_000);
    50_000 + u16::try_from(offset).unwrap_or_default()
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
