//! A stand-in for SkyPilot, so that every hermetic test runs without Python.
//!
//! Why this is a package of its own: the library's hermetic tests and the CLI tests
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
//!   manager, the resource tracker (`program::executor`, `program::idle`);
//! * `constants`: what SkyPilot's own config module would say of its budgets.
//!
//! By default the server has no infrastructure, as a real one without a cloud.
//! The setting `FAKE_SKY_INFRA` gives it one: clusters come up, jobs run as long as
//! the `sleep` in them says, services become ready, all by the clock
//! (`program::server::cloud`).
//!
//! What differs from the real one is in size and speed, never in shape. How it
//! behaves, and misbehaves, is set by environment variables: see [`settings`].
//!
//! Tests start here: [`FakeServer::start`] for a server of one's own,
//! [`executable`] for the path to give to `--sky`.

mod executable;
mod fake_server;
pub mod grants;
pub mod http;
pub mod memory;
pub mod odd_name;
mod ports;
pub mod procfs;
mod release;
pub mod settings;
pub mod title;

pub use executable::executable;
pub use fake_server::{FakeServer, kill_instance, processes_of};
pub use ports::{free_port, queue_port};
pub use release::{API_VERSION, COMMIT, DEFAULT_USER_ID, VERSION};
