//! Children of the server that do nothing but be there.
//!
//! What they hold, they hold as stdin: the queue manager its listening socket
//! (which keeps the port taken when it outlives its server), a web worker the
//! API's own.

use std::thread;

use fake_sky::settings::Settings;
use fake_sky::{memory, title};

use super::children::SERVER_MIB;
use super::watchdog;

/// The queue manager and the resource tracker.
pub(crate) fn wait(settings: &Settings) -> anyhow::Result<()> {
    title::set_process_name("python");
    watchdog::start(settings)?;
    loop {
        thread::park();
    }
}

/// A web worker: as large as the main process.
pub(crate) fn work(settings: &Settings) -> anyhow::Result<()> {
    let memory = memory::fill_to(SERVER_MIB);
    let waited = wait(settings);
    drop(memory);
    waited
}
