//! How the server starts its children, so that they look like SkyPilot's.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context;
use fake_sky::title::THIS_PROGRAM;
use tokio::process::Command;

use super::role::Role;

/// Resident memory of the server's main process and of each web worker, in MiB.
pub(crate) const SERVER_MIB: usize = 16;

/// The command line of a process that `multiprocessing` has spawned.
pub(crate) const SPAWN_MAIN: [&str; 4] = [
    "-B",
    "-c",
    "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=23, pipe_handle=25)",
    "--multiprocessing-fork",
];

/// The command line of the process that tidies up after `multiprocessing`.
pub(crate) const RESOURCE_TRACKER: [&str; 3] =
    ["-B", "-c", "from multiprocessing.resource_tracker import main;main(21)"];

/// Starts a child that plays `role` behind a Python command line; it is reaped
/// as soon as it ends. Needs the runtime.
pub(crate) fn spawn(role: Role, arguments: &[&str], stdin: Stdio) -> anyhow::Result<u32> {
    let mut child = Command::new(THIS_PROGRAM)
        .arg0(python().display().to_string())
        .args(arguments)
        .envs(role.variables())
        .stdin(stdin)
        .spawn()
        .with_context(|| format!("starting a child ({role:?})"))?;
    let pid = child.id().context("the child ended at once")?;
    tokio::spawn(async move { child.wait().await });
    Ok(pid)
}

/// The interpreter that the command lines name: beside `sky`, as in a venv.
pub(crate) fn python() -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name("python")
}
