//! Lookup of one process: existence, start time, parent.
//!
//! For occasional lookups. The profiler has a cheaper reader for many processes.
//!
//! Files of `/proc` are read as bytes: a process can set its name to anything, and the
//! kernel truncates names to 15 bytes, even within a UTF-8 character.

use std::io;

use nix::errno::Errno;
#[cfg(target_os = "linux")]
use nix::libc;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::ids::ProcessIdentity;

/// State of a process at one moment, from `/proc/PID/stat` on Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// Pid and start time.
    pub identity: ProcessIdentity,
    /// Parent's pid.
    pub parent: u32,
    /// Whether the process has exited and waits to be reaped; a zombie has no memory.
    pub zombie: bool,
}

impl ProcessIdentity {
    /// Process that has `pid` now; `None` if there is none, or only a zombie.
    pub fn of(pid: u32) -> Option<Self> {
        let process = look_up(pid)?;
        (!process.zombie).then_some(process.identity)
    }

    /// Current process.
    pub fn current() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether this process, and not a later one with its pid, still runs.
    pub fn is_alive(self) -> bool {
        match read_stat(self.pid) {
            Ok(process) => {
                process.is_some_and(|process| !process.zombie && process.identity == self)
            }
            // A failed read, such as at the limit on open files, does not mean that the
            // process has exited. Signal 0 needs no file, but cannot detect a reused pid.
            Err(_) => exists(self.pid),
        }
    }
}

/// Looks up the process that has `pid` now; `None` if there is none or reading fails.
#[cfg(target_os = "linux")]
pub fn look_up(pid: u32) -> Option<ProcessStat> {
    read_stat(pid).ok()?
}

/// Reads `/proc/PID/stat`; `Ok(None)` if there is no such process.
#[cfg(target_os = "linux")]
fn read_stat(pid: u32) -> io::Result<Option<ProcessStat>> {
    match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => Ok(parse_stat(pid, &stat)),
        Err(error) if is_exit(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the read failed because the process has exited: before the file was opened
/// (`ENOENT`), or between opening and reading (`ESRCH`).
#[cfg(target_os = "linux")]
fn is_exit(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it may fail")]
fn read_stat(pid: u32) -> io::Result<Option<ProcessStat>> {
    Ok(look_up(pid))
}

/// Whether there is any process with this pid, by signal 0 (kill(2)).
fn exists(pid: u32) -> bool {
    // Not a cast: kill(2) takes a negative number for a process group.
    let pid = i32::try_from(pid).map(Pid::from_raw);
    // `EPERM` means that the process exists and belongs to another user.
    pid.is_ok_and(|pid| kill(pid, None) != Err(Errno::ESRCH))
}

/// Number of threads of a process; `None` after its exit, and where the operating system does not
/// tell.
pub fn threads(pid: u32) -> Option<u32> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // num_threads is field 20; the first is field 3.
    stat_fields(&stat)?.nth(20 - 3)?.parse().ok()
}

/// Parses `/proc/PID/stat` (proc(5)); `None` if the line is incomplete.
pub fn parse_stat(pid: u32, stat: &[u8]) -> Option<ProcessStat> {
    let mut fields = stat_fields(stat)?;
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // Start time is field 22. State (3) and parent (4) were taken, so the next one is field 5.
    let started = fields.nth(22 - 5)?.parse().ok()?;
    let identity = ProcessIdentity { pid, started };
    Some(ProcessStat { identity, parent, zombie: matches!(state, "Z" | "X") })
}

/// Fields of `/proc/PID/stat` from field 3, the state, on.
pub fn stat_fields(stat: &[u8]) -> Option<impl Iterator<Item = &str>> {
    // Field 2 is the name in parentheses, and may contain any bytes, spaces and parentheses
    // included: the last parenthesis ends it.
    let name_ends = stat.iter().rposition(|&byte| byte == b')')?;
    let after_name = std::str::from_utf8(&stat[name_ends + 1..]).ok()?;
    Some(after_name.split_ascii_whitespace())
}

/// Looks up the process that has `pid` now; `None` if there is none.
#[cfg(not(target_os = "linux"))]
pub fn look_up(pid: u32) -> Option<ProcessStat> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};
    let mut system = System::new().ok()?;
    let pid_key = Pid::from_u32(pid);
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid_key]),
        true,
        ProcessRefreshKind::nothing(),
    );
    let process = system.process(pid_key)?;
    Some(ProcessStat {
        identity: ProcessIdentity { pid, started: process.start_time() },
        parent: process.parent().map_or(0, Pid::as_u32),
        zombie: process.status() == ProcessStatus::Zombie,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = b"42 (a) b (c)) S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 2 3";
        let process = parse_stat(42, stat).expect("the line is complete");
        assert_eq!(process.parent, 7);
        assert_eq!(process.identity, ProcessIdentity { pid: 42, started: 98765 });
        assert!(!process.zombie);
    }

    #[test]
    fn no_line_is_too_odd_to_be_read() {
        let stat = "42 (a) b (c)) S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 2 3";
        crate::changes::try_changes(stat.as_bytes(), |stat| {
            _ = parse_stat(42, stat);
        });
    }

    #[test]
    fn an_incomplete_line_is_no_process() {
        assert_eq!(parse_stat(42, b"42 (python) S 7 42"), None);
    }

    #[test]
    fn a_name_that_ends_inside_a_character_hides_no_process() {
        let named = fake_sky::non_utf8::NonUtf8Process::start().unwrap();
        let found = ProcessIdentity::of(named.pid()).expect("it runs");
        assert!(found.is_alive());
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let me = ProcessIdentity::current().expect("this process has an identity");
        assert!(me.is_alive());
        let predecessor = ProcessIdentity { started: me.started - 1, ..me };
        assert!(!predecessor.is_alive());
    }
}
