//! Start of the server's child processes, with the command lines of SkyPilot's.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::Context;
use fake_sky::title::THIS_PROGRAM;
use tokio::process::Command;

use super::role::Role;

/// Resident memory of the server's main process and of each web worker, in MiB.
pub(crate) const SERVER_MIB: usize = 16;

/// Arguments of a process that Python's `multiprocessing` spawned.
pub(crate) const SPAWN_MAIN: [&str; 4] = [
    "-B",
    "-c",
    "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=23, pipe_handle=25)",
    "--multiprocessing-fork",
];

/// Arguments of the resource tracker of Python's `multiprocessing`.
pub(crate) const RESOURCE_TRACKER: [&str; 3] =
    ["-B", "-c", "from multiprocessing.resource_tracker import main;main(21)"];

/// Starts a child with a role and a Python command line, reaps it when it exits, and
/// returns its pid. Needs the tokio runtime.
pub(crate) fn spawn(role: Role, arguments: &[&str], stdin: Stdio) -> anyhow::Result<u32> {
    let mut child = Command::new(THIS_PROGRAM)
        .arg0(python().display().to_string())
        .args(arguments)
        .envs(role.variables())
        .stdin(stdin)
        .spawn()
        .with_context(|| format!("starting a child ({role:?})"))?;
    let pid = child.id().context("the child exited right after its start")?;
    // A child that is not waited for stays a zombie, which skyload would count.
    tokio::spawn(async move { child.wait().await });
    Ok(pid)
}

/// Path of the Python interpreter in command lines: next to `sky`, as in a venv.
pub(crate) fn python() -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name("python")
}
