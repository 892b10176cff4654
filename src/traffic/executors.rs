//! Executor that runs a request, found among the processes of this machine.
//!
//! The server's list of requests names no executor: `/api/status` returns `pid: null`, also for
//! requests that run (SkyPilot 0.14.1). But an executor writes its output to the log of the request
//! that it runs, and its title names its pid.

use std::fs;
use std::io;

use crate::ids::ProcessIdentity;
use crate::record::outcome::RequestExecutor;
use crate::server_command::arguments;

/// Executor that writes the log of a request.
pub(super) fn running(request_id: &str) -> RequestExecutor {
    let log = format!("request_logs/{request_id}.log");
    let Ok(processes) = fs::read_dir("/proc") else { return RequestExecutor::Unknown };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let (mut seen, mut hidden) = (false, false);
    for pid in pids.filter(|pid| is_executor(*pid)) {
        match fs::read_link(format!("/proc/{pid}/fd/1")) {
            Ok(output) if output.ends_with(&log) => {
                // `None` if the process has exited since.
                if let Some(process) = ProcessIdentity::of(pid) {
                    return RequestExecutor::Process(process);
                }
            }
            Ok(_) => seen = true,
            Err(error) => hidden |= error.kind() == io::ErrorKind::PermissionDenied,
        }
    }
    // Processes of another user keep their output to themselves, and those of a container are not
    // listed at all.
    if seen && !hidden { RequestExecutor::NoProcess } else { RequestExecutor::Unknown }
}

/// Whether a process has the title of an executor: `SkyPilot:executor:long:PID`.
fn is_executor(pid: u32) -> bool {
    let command_line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let title = arguments(&command_line).next();
    title.is_some_and(|title| {
        // A fork has the title of its parent, and the parent's pid in it.
        title.starts_with(b"SkyPilot:executor:") && title.ends_with(format!(":{pid}").as_bytes())
    })
}
