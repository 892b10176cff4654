//! Watchdog in each child of the server: kills the child some time after the server is gone,
//! so that a failed test leaves no processes behind.
//!
//! The delay is 5 minutes by default: SkyPilot's executors outlive a killed server, and
//! tests check that skyload handles that.

use std::thread;
use std::time::Duration;

use fake_sky::procfs;
use fake_sky::settings::Settings;
use nix::unistd::getppid;

use super::role;

/// Interval at which a child checks that its parent still runs.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// Starts a thread that kills this process some time after its server is gone.
pub(crate) fn start(settings: &Settings) -> anyhow::Result<()> {
    // From the environment: `getppid` names another process if the server is already gone.
    let parent = role::parent()?;
    let grace = settings.orphan;
    thread::spawn(move || {
        // An orphan gets another parent (init or a subreaper).
        while getppid().as_raw() == parent {
            thread::sleep(CHECK_INTERVAL);
        }
        thread::sleep(grace);
        procfs::kill_hard(std::process::id());
    });
    Ok(())
}
