//! Faults injected into the whole server after its first queued request: death, replacement
//! by another server, a stalled event loop.

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

/// Delay of the stall after the first queued request, so that the response to its submission
/// is sent before.
const STALL_AFTER: Duration = Duration::from_millis(50);

/// Faults of the server, which start once, with the first queued request.
#[derive(Debug)]
pub(crate) struct ServerFaults {
    started: Once,
    arguments: Vec<String>,
}

impl ServerFaults {
    /// Faults of a server that was started with `arguments`.
    pub(crate) fn new(arguments: &[String]) -> Self {
        Self { started: Once::new(), arguments: arguments.to_vec() }
    }

    /// Starts the timers of the faults in the settings, on the first call only.
    pub(crate) fn begin(&self, settings: &Settings) {
        self.started.call_once(|| {
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
                    block_event_loop(stall);
                });
            }
        });
    }
}

/// Blocks the only thread of the runtime, like a slow call in SkyPilot's event loop.
fn block_event_loop(stall: Duration) {
    let start = Instant::now();
    std::thread::sleep(stall);
    let seconds = start.elapsed().as_secs_f64();
    // SkyPilot logs stalls above its threshold, 1 s.
    if seconds > 1.0 {
        let message =
            format!("Event loop stalled {seconds:.3} s (threshold 1.000s) in fake_sky.stall");
        log::info("loop_stall.py:120", &message);
    }
}

/// Starts another main process for the same ports, and kills this one.
fn replace(arguments: &[String]) -> anyhow::Result<()> {
    // The queue manager still holds a port that the successor needs.
    for child in procfs::descendants_of(std::process::id()) {
        procfs::kill_hard(child.pid);
    }
    Command::new(THIS_PROGRAM)
        .arg0(python())
        .args(arguments.iter().skip(1))
        .envs(Role::Server(StartMode::Successor).variables())
        // The successor must not be replaced again.
        .env_remove("FAKE_SKY_REPLACE_AFTER_MS")
        .stdin(Stdio::null())
        .spawn()
        .context("starting the successor")?;
    procfs::kill_hard(std::process::id());
    Ok(())
}
