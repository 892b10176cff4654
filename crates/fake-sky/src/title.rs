//! What a process shows of itself: its name, and a title in the place of its arguments.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// This program. The link stays good when the file is rebuilt meanwhile.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// SkyPilot's titles overwrite a longer command line and leave so many NULs;
/// empty arguments read the same.
const PADDING: usize = 100;

/// This program under a title, to take the place of this process by `exec`: without unsafe
/// code, only the start of a program can give it one.
pub fn titled(title: &str) -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command.arg0(title).args([""; PADDING]);
    command
}

/// Sets what `/proc/PID/comm` shows (the kernel cuts it off at 15 bytes).
pub fn set_process_name(name: &str) {
    // Only looks: a kernel that refuses changes nothing that is measured.
    _ = fs::write("/proc/self/comm", name);
}
