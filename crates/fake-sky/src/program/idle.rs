//! Idle child processes of the server: queue manager, resource tracker, web workers.
//!
//! Sockets are passed as stdin: the queue manager holds its listening socket (so the port
//! stays in use if it outlives the server), a web worker the socket of the API.

use std::thread;

use fake_sky::settings::Settings;
use fake_sky::{memory, title};

use super::children::SERVER_MIB;
use super::watchdog;

/// Runs the queue manager or the resource tracker: waits forever.
pub(crate) fn wait(settings: &Settings) -> anyhow::Result<()> {
    title::set_process_name("python");
    watchdog::start(settings)?;
    loop {
        thread::park();
    }
}

/// Runs a web worker: holds as much memory as the main process, and waits forever.
pub(crate) fn run_web_worker(settings: &Settings) -> anyhow::Result<()> {
    let memory = memory::fill_to(SERVER_MIB);
    let waited = wait(settings);
    drop(memory);
    waited
}
