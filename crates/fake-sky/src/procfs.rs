//! Looking at, and ending, processes of this machine (Linux only).

use std::collections::HashMap;
use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process as `/proc` shows it.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// Its parent's pid.
    pub parent: u32,
    /// Its arguments, joined by spaces; `SkyPilot:executor:short:42` once titled.
    pub command_line: String,
}

impl Process {
    /// The process that has `pid` now, unless it has ended.
    pub fn look_up(pid: u32) -> Option<Self> {
        let (state, parent) = state_and_parent(pid)?;
        if matches!(state, 'Z' | 'X') {
            return None;
        }
        let command_line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let command_line = String::from_utf8_lossy(&command_line).replace('\0', " ");
        Some(Self { pid, parent, command_line: command_line.trim_end().to_owned() })
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.pid)).map_or(0, Iterator::count)
    }

    /// How many of its children have ended without its waiting for them.
    pub fn zombies(&self) -> usize {
        pids().filter(|pid| state_and_parent(*pid) == Some(('Z', self.pid))).count()
    }

    /// A memory figure of `/proc/PID/status` in KiB, as `VmRSS` or `VmHWM`.
    pub fn memory_kib(&self, figure: &str) -> Option<u64> {
        memory_kib(&self.pid.to_string(), figure)
    }

    /// Whether `assignment` (`NAME=value`) is in the environment it began with.
    pub fn was_started_with(&self, assignment: &str) -> bool {
        fs::read(format!("/proc/{}/environ", self.pid)).is_ok_and(|environment| {
            environment.split(|byte| *byte == 0).any(|one| one == assignment.as_bytes())
        })
    }

    /// Whether it is the main process of the API server on `port`, judged as
    /// `sky api stop` does.
    pub fn is_server_on(&self, port: u16) -> bool {
        let line = &self.command_line;
        line.contains("-m sky.server.server")
            && [format!("--port={port}"), format!("--port {port}")]
                .iter()
                .any(|option| line.split(option).skip(1).any(|rest| !starts_with_digit(rest)))
    }
}

/// A memory figure of this process in KiB.
pub fn own_memory_kib(figure: &str) -> Option<u64> {
    memory_kib("self", figure)
}

/// All processes of the machine that have not ended.
pub fn all() -> Vec<Process> {
    pids().filter_map(Process::look_up).collect()
}

/// Everything below `root`, parents before their children.
pub fn descendants_of(root: u32) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
    for process in all() {
        children.entry(process.parent).or_default().push(process);
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.pid) {
        found.extend(children.remove(&parent).unwrap_or_default());
        next += 1;
    }
    found
}

/// Sends SIGKILL to `pid`, if it is there.
pub fn kill_hard(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        // Gone already is what was wanted.
        _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    // The name may be any bytes.
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // It stands in parentheses and may itself hold some.
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
    fn a_server_is_told_by_its_exact_port() {
        let line = "/x/python -m sky.server.server --host=127.0.0.1 --port=4658".to_owned();
        let process = Process { pid: 1, parent: 0, command_line: line };
        assert!(process.is_server_on(4658));
        assert!(!process.is_server_on(465));
        assert!(!process.is_server_on(46580));
    }

    #[test]
    fn a_name_that_ends_inside_a_character_hides_no_process() {
        let named = crate::odd_name::OddlyNamed::start().unwrap();
        let found = Process::look_up(named.pid()).expect("it runs");
        assert_eq!(found.parent, std::process::id());
        assert!(found.memory_kib("VmRSS").is_some_and(|kib| kib > 100));
    }

    #[test]
    fn this_process_has_memory_and_is_below_its_parent() {
        let me = Process::look_up(std::process::id()).expect("it runs");
        assert!(own_memory_kib("VmHWM").is_some_and(|kib| kib > 100));
        assert!(descendants_of(me.parent).iter().any(|process| process.pid == me.pid));
    }
}
