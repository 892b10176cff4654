//! What keeps a failed test from littering: children whose server is gone end.
//!
//! Not at once, by default: SkyPilot's own executors survive a killed server,
//! and how our tool deals with them is to be tested.

use std::thread;
use std::time::Duration;

use fake_sky::procfs;
use fake_sky::settings::Settings;
use nix::unistd::getppid;

use super::role;

/// How often a child looks whether its parent is still there.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Ends this process some time after the server that started it.
pub(crate) fn start(settings: &Settings) -> anyhow::Result<()> {
    let parent = role::parent()?;
    let grace = settings.orphan;
    thread::spawn(move || {
        while getppid().as_raw() == parent {
            thread::sleep(LOOK_EVERY);
        }
        thread::sleep(grace);
        procfs::kill_hard(std::process::id());
    });
    Ok(())
}
