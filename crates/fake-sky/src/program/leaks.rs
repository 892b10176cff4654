//! Injected leaks of an executor: threads, zombies, memory.

use std::process::{Command, Stdio};
use std::thread;

use anyhow::Context;
use fake_sky::memory;
use fake_sky::settings::Settings;
use fake_sky::title::THIS_PROGRAM;

use super::role::Role;

/// Creates the leaks of the settings: starts idle threads, leaves zombies, and returns the
/// leaked memory, which the caller keeps.
pub(crate) fn create(settings: &Settings) -> anyhow::Result<Vec<u8>> {
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

/// Leaks the memory of one request, until the process exits.
pub(crate) fn grow(settings: &Settings) {
    // Not zero, as for any memory that is to be resident.
    std::hint::black_box(vec![1_u8; settings.leak_kib << 10].leak());
}

/// Starts a child that exits immediately, and does not reap it.
fn leave_zombie() -> anyhow::Result<()> {
    // Dropping a `Child` neither kills nor reaps the process.
    Command::new(THIS_PROGRAM)
        .arg("--version")
        .envs(Role::CommandLine.variables())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("starting a child to be left as a zombie")?;
    Ok(())
}
