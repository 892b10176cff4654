//! Names and titles of processes: `/proc/PID/comm`, and a title that replaces the arguments.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Path of the running program. Valid also after the file was replaced by a rebuild.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// Number of empty arguments after a title. SkyPilot's titles overwrite a longer command
/// line and leave NULs behind; empty arguments look the same in `/proc/PID/cmdline`.
const PADDING: usize = 100;

/// Command that runs this program under `title`, to be passed to `exec`. Without unsafe
/// code, a process can set its title only when it starts.
pub fn titled(title: &str) -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command.arg0(title).args([""; PADDING]);
    command
}

/// Sets what `/proc/PID/comm` shows (the kernel cuts it off at 15 bytes).
pub fn set_process_name(name: &str) {
    // Cosmetic: on failure, everything that is measured stays correct.
    _ = fs::write("/proc/self/comm", name);
}
