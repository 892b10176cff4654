//! Processes of this machine, read from `/proc`, and killing them (Linux only).

use std::collections::HashMap;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Process, as read from `/proc`.
#[derive(Clone, Debug)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Process id of the parent.
    pub parent: u32,
    /// Arguments, joined by spaces; an executor's title, once set:
    /// `SkyPilot:executor:short:42`.
    pub command_line: String,
}

impl Process {
    /// Process with this pid; `None` if there is none or it is a zombie.
    pub fn look_up(pid: u32) -> Option<Self> {
        let (state, parent) = state_and_parent(pid)?;
        if matches!(state, 'Z' | 'X') {
            return None;
        }
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command_line = String::from_utf8_lossy(&command_line).replace('\0', " ");
        Some(Self { pid, parent, command_line: command_line.trim_end().to_owned() })
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.pid)).map_or(0, Iterator::count)
    }

    /// Number of zombies among the children.
    pub fn zombies(&self) -> usize {
        pids().filter(|pid| state_and_parent(*pid) == Some(('Z', self.pid))).count()
    }

    /// Memory figure of `/proc/PID/status` in KiB: `VmRSS`, `VmHWM`.
    pub fn memory_kib(&self, figure: &str) -> Option<u64> {
        memory_kib(&self.pid.to_string(), figure)
    }

    /// Whether `assignment` (`NAME=value`) is in the initial environment of the process.
    pub fn was_started_with(&self, assignment: &str) -> bool {
        fs::read(format!("/proc/{}/environ", self.pid)).is_ok_and(|environment| {
            environment.split(|byte| *byte == 0).any(|variable| variable == assignment.as_bytes())
        })
    }

    /// Whether this is the main process of the API server on `port`, by the command line,
    /// like in `sky api stop`.
    pub fn is_server_on(&self, port: u16) -> bool {
        let line = &self.command_line;
        // A digit after the port would make it another, longer port number.
        line.contains("-m sky.server.server")
            && [format!("--port={port}"), format!("--port {port}")]
                .iter()
                .any(|option| line.split(option).skip(1).any(|rest| !starts_with_digit(rest)))
    }
}

/// Memory figure of this process in KiB, from `/proc/self/status`.
pub fn own_memory_kib(figure: &str) -> Option<u64> {
    memory_kib("self", figure)
}

/// List of all processes of the machine, without zombies.
pub fn all() -> Vec<Process> {
    pids().filter_map(Process::look_up).collect()
}

/// Descendants of `root`, parents before their children.
pub fn descendants_of(root: u32) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
    for process in all() {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.pid) {
        // Removed, so that a circle of processes that were read at different moments ends.
        found.extend(children.remove(&parent).unwrap_or_default());
        next += 1;
    }
    found
}

/// Sends SIGKILL to `pid`, if such a process exists.
pub fn kill_hard(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // The only expected error is that the process has already exited.
        _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    // Not `read_to_string`: the process name may be invalid UTF-8.
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name is in parentheses and may contain parentheses itself.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn memory_kib(process: &str, figure: &str) -> Option<u64> {
    let status = fs::read(format!("/proc/{process}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_by_its_exact_port() {
        let line = "/x/python -m sky.server.server --host=127.0.0.1 --port=4658".to_owned();
        let process = Process { pid: 1, parent: 0, command_line: line };
        assert!(process.is_server_on(4658));
        assert!(!process.is_server_on(465));
        assert!(!process.is_server_on(46580));
    }

    #[test]
    fn a_process_with_a_non_utf8_name_is_found() {
        let named = crate::non_utf8::NonUtf8Process::start().unwrap();
        let found = Process::look_up(named.pid()).expect("the process runs");
        assert_eq!(found.parent, std::process::id());
        assert!(found.memory_kib("VmRSS").is_some_and(|kib| kib > 100));
    }

    #[test]
    fn this_process_has_memory_and_is_below_its_parent() {
        let me = Process::look_up(std::process::id()).expect("the process runs");
        assert!(own_memory_kib("VmHWM").is_some_and(|kib| kib > 100));
        assert!(descendants_of(me.parent).iter().any(|process| process.pid == me.pid));
    }
}
