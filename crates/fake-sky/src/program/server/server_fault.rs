//! Faults injected into a whole server once it has work: it dies, it is
//! replaced, its event loop stalls.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use anyhow::Context;
use fake_sky::procfs;
use fake_sky::settings::Settings;
use fake_sky::title::THIS_PROGRAM;

use super::log;
use crate::program::children::python;
use crate::program::role::{Role, StartMode};

/// So long after the first queued request its response is out, and the load
/// is under way: then the event loop may stand still.
const STALL_AFTER: Duration = Duration::from_millis(50);

/// Faults of a server that begin, once, with its first queued request.
#[derive(Debug)]
pub(crate) struct ServerFaults {
    begun: Once,
    arguments: Vec<String>,
}

impl ServerFaults {
    /// For a server that was called with `arguments`.
    pub(crate) fn new(arguments: &[String]) -> Self {
        Self { begun: Once::new(), arguments: arguments.to_vec() }
    }

    /// Starts the faults that the settings inject.
    pub(crate) fn begin(&self, settings: &Settings) {
        self.begun.call_once(|| {
            if let Some(after) = settings.die_after {
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    procfs::kill_hard(std::process::id());
                });
            }
            if let Some(after) = settings.replace_after {
                let arguments = self.arguments.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    replace(&arguments)
                });
            }
            if !settings.stall.is_zero() {
                let stall = settings.stall;
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
        .envs(Role::Server(StartMode::Successor).variables())
        // Once is enough.
        .env_remove("FAKE_SKY_REPLACE_AFTER_MS")
        .stdin(Stdio::null())
        .spawn()
        .context("starting the successor")?;
    procfs::kill_hard(std::process::id());
    Ok(())
}
