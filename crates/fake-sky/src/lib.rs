//! Stand-in for SkyPilot, so that hermetic tests run without Python.
//!
//! A package of its own, because the library's hermetic tests and the CLI tests of `xtask`
//! both need the API server and its executors as real *processes* (with a pid, a command
//! line, and memory of a known size), and cargo gives a test the path of its own package's
//! programs only. Tests get the path of the program from [`executable`].
//!
//! The command line and environment of the program, `fake-sky`, select its role:
//!
//! * the `sky` command line: `api start|stop|status|info`, `status`, `launch`,
//!   `logs`, `jobs launch|queue`, `serve status` (`program::cli`,
//!   `program::client`);
//! * `python -m sky.server.server --host=H --port=N`, the server, with the HTTP
//!   protocol of SkyPilot 0.14.1 (`program::server`);
//! * the server's children: executors that hold known memory, the queue
//!   manager, the resource tracker (`program::executor`, `program::idle`);
//! * `constants`: the memory constants of SkyPilot's config module, as JSON.
//!
//! By default the server has no infra, like a real one without a cloud.
//! The setting `FAKE_SKY_INFRA` gives it one: clusters become UP, jobs run as long as
//! the `sleep` in them says, and services become READY. The clock alone decides their
//! states (`program::server::cloud`).
//!
//! Processes and responses have the form of SkyPilot's; only sizes and times differ.
//! Environment variables change the behavior and inject faults: see [`settings`].
//!
//! Entry points for tests: [`FakeServer::start`] starts a server for one test,
//! [`executable`] is the path to pass to `--sky`.

mod executable;
mod fake_server;
pub mod http;
pub mod kernel_features;
pub mod memory;
pub mod non_utf8;
mod ports;
pub mod procfs;
mod release;
pub mod settings;
pub mod title;

pub use executable::executable;
pub use fake_server::{FakeServer, kill_instance, processes_of};
pub use ports::{free_port, queue_port};
pub use release::{API_VERSION, COMMIT, DEFAULT_USER_ID, VERSION};
