//! Children of the server that do nothing but be there.
//!
//! What they hold, they hold as stdin: the queue manager its listening socket
//! (which keeps the port taken when it outlives its server), a web worker the
//! API's own.

use std::thread;

use fake_sky::knobs::Knobs;

use super::{memory, watchdog};

/// The queue manager and the resource tracker.
pub(crate) fn wait(knobs: &Knobs) -> anyhow::Result<()> {
    memory::set_process_name("python");
    watchdog::start(knobs)?;
    loop {
        thread::park();
    }
}

/// A web worker: as large as the main process.
pub(crate) fn work(knobs: &Knobs) -> anyhow::Result<()> {
    let memory = memory::fill_to(memory::SERVER_MIB);
    let waited = wait(knobs);
    drop(memory);
    waited
}
