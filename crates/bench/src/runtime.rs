//! Async runtime of one thread, like that of a scenario's process.

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Runtime};

/// Runtime with timers and sockets, in the thread that enters it.
pub(crate) fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("starting an async runtime")
}
