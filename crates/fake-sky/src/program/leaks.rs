//! What an executor leaks: threads, children that are not waited for, memory.

use std::process::{Command, Stdio};
use std::thread;

use anyhow::Context;
use fake_sky::memory;
use fake_sky::settings::Settings;
use fake_sky::title::THIS_PROGRAM;

use super::role::Role;

/// Starts threads that do nothing and children that nobody waits for, and takes memory,
/// which the caller keeps for as long as it is to stay.
pub(crate) fn take(settings: &Settings) -> anyhow::Result<Vec<u8>> {
    for _ in 0..settings.leaked_threads {
        thread::spawn(|| {
            loop {
                thread::park();
            }
        });
    }
    for _ in 0..settings.zombies {
        leave_zombie()?;
    }
    Ok(memory::touched(settings.leaked_mib << 20))
}

/// Starts a child that ends at once. Forgetting one does not wait for it.
fn leave_zombie() -> anyhow::Result<()> {
    Command::new(THIS_PROGRAM)
        .arg("--version")
        .envs(Role::CommandLine.variables())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("starting a child that nobody waits for")?;
    Ok(())
}
