//! What may happen to a whole server once it has work: it dies, it is
//! replaced, its event loop stands still.

use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use anyhow::Context;
use fake_sky::knobs::Knobs;
use fake_sky::procfs;
use std::os::unix::process::CommandExt;

use super::log;
use crate::program::children::{THIS_PROGRAM, python};
use crate::program::role::{Birth, Role};

/// So long after the first queued request its response is out, and the load
/// is under way: then the event loop may stand still.
const STALL_AFTER: Duration = Duration::from_millis(50);

/// Starts what the knobs have in store, once.
#[derive(Debug)]
pub(crate) struct Misfortunes {
    begun: Once,
    arguments: Vec<String>,
}

impl Misfortunes {
    /// For a server that was called with `arguments`.
    pub(crate) fn new(arguments: &[String]) -> Self {
        Self { begun: Once::new(), arguments: arguments.to_vec() }
    }

    /// The first queued request is in.
    pub(crate) fn begin(&self, knobs: &Knobs) {
        self.begun.call_once(|| {
            if let Some(after) = knobs.die_after {
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    procfs::kill_hard(std::process::id());
                });
            }
            if let Some(after) = knobs.replace_after {
                let arguments = self.arguments.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    replace(&arguments)
                });
            }
            if !knobs.stall.is_zero() {
                let stall = knobs.stall;
                tokio::spawn(async move {
                    tokio::time::sleep(STALL_AFTER).await;
                    stand_still(stall);
                });
            }
        });
    }
}

/// Blocks the only thread of the runtime, as one slow call in a Python server.
fn stand_still(stall: Duration) {
    let begun = Instant::now();
    std::thread::sleep(stall);
    let seconds = begun.elapsed().as_secs_f64();
    if seconds > 1.0 {
        let message =
            format!("Event loop stalled {seconds:.3} s (threshold 1.000s) in fake_sky.stall");
        log::info("loop_stall.py:120", &message);
    }
}

/// Hands the ports over to another main process and dies.
fn replace(arguments: &[String]) -> anyhow::Result<()> {
    // The queue manager holds a port that the successor needs.
    for child in procfs::descendants_of(std::process::id()) {
        procfs::kill_hard(child.pid);
    }
    Command::new(THIS_PROGRAM)
        .arg0(python())
        .args(arguments.iter().skip(1))
        .envs(Role::Server(Birth::Successor).variables())
        // Once is enough.
        .env_remove("FAKE_SKY_REPLACE_AFTER_MS")
        .stdin(Stdio::null())
        .spawn()
        .context("starting the successor")?;
    procfs::kill_hard(std::process::id());
    Ok(())
}
