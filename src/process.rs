//! Looking one process up: is it there, since when, whose child is it.
//!
//! The profiler has its own, cheaper way of reading many processes again and
//! again; this is for the rare question about one of them.
//!
//! The texts of `/proc` are bytes: a name is whatever its owner made it, and the kernel
//! cuts it off after 15 bytes, also within a character.

use std::io;

use nix::errno::Errno;
#[cfg(target_os = "linux")]
use nix::libc;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::ids::ProcessIdentity;

/// What can be said of a process at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessGlance {
    /// Its pid and start time.
    pub identity: ProcessIdentity,
    /// Its parent's pid.
    pub parent: u32,
    /// It has ended and waits to be reaped: it holds no memory any more.
    pub zombie: bool,
}

impl ProcessIdentity {
    /// The process that has `pid` at this moment; `None` when there is none,
    /// or when it is a zombie, which runs and holds nothing any more.
    pub fn of(pid: u32) -> Option<Self> {
        let process = look_up(pid)?;
        (!process.zombie).then_some(process.identity)
    }

    /// This very process.
    pub fn current() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether this process, and not a successor on its pid, still runs.
    ///
    /// Whoever can't look has not seen it end: a process that has as many files open as
    /// it may is told only whether there is somebody of that pid.
    pub fn is_alive(self) -> bool {
        match glance(self.pid) {
            Ok(process) => {
                process.is_some_and(|process| !process.zombie && process.identity == self)
            }
            Err(_) => exists(self.pid),
        }
    }
}

/// Looks up the process that has `pid` now.
#[cfg(target_os = "linux")]
pub fn look_up(pid: u32) -> Option<ProcessGlance> {
    glance(pid).ok()?
}

/// The process that has `pid` now, if there is one; an error where nobody could look.
#[cfg(target_os = "linux")]
fn glance(pid: u32) -> io::Result<Option<ProcessGlance>> {
    match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => Ok(parse_stat(pid, &stat)),
        Err(error) if is_of_nobody(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// It has ended before its file was opened, or between that and reading.
#[cfg(target_os = "linux")]
fn is_of_nobody(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it may fail")]
fn glance(pid: u32) -> io::Result<Option<ProcessGlance>> {
    Ok(look_up(pid))
}

/// Whether there is any process of this pid; asking takes no file.
fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).map(Pid::from_raw);
    pid.is_ok_and(|pid| kill(pid, None) != Err(Errno::ESRCH))
}

/// Reads `/proc/PID/stat` (proc(5)).
pub fn parse_stat(pid: u32, stat: &[u8]) -> Option<ProcessGlance> {
    let mut fields = stat_fields(stat)?;
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22 of the line; state was field 3 and the parent field 4.
    let started = fields.nth(22 - 5)?.parse().ok()?;
    let identity = ProcessIdentity { pid, started };
    Some(ProcessGlance { identity, parent, zombie: matches!(state, "Z" | "X") })
}

/// Fields of `/proc/PID/stat` from the third, the state, on. The second is the name,
/// which stands in parentheses and may be any bytes, parentheses and spaces among them:
/// fields are counted from the last parenthesis.
pub fn stat_fields(stat: &[u8]) -> Option<impl Iterator<Item = &str>> {
    let name_ends = stat.iter().rposition(|&byte| byte == b')')?;
    let after_name = std::str::from_utf8(&stat[name_ends + 1..]).ok()?;
    Some(after_name.split_ascii_whitespace())
}

/// Looks up the process that has `pid` now.
#[cfg(not(target_os = "linux"))]
pub fn look_up(pid: u32) -> Option<ProcessGlance> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};
    let mut system = System::new().ok()?;
    let pid_key = Pid::from_u32(pid);
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid_key]),
        true,
        ProcessRefreshKind::nothing(),
    );
    let process = system.process(pid_key)?;
    Some(ProcessGlance {
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
        let glance = parse_stat(42, stat).expect("the line is complete");
        assert_eq!(glance.parent, 7);
        assert_eq!(glance.identity, ProcessIdentity { pid: 42, started: 98765 });
        assert!(!glance.zombie);
    }

    #[test]
    fn no_line_is_too_odd_to_be_read() {
        let stat = "42 (a) b (c)) S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 2 3";
        crate::changes::try_changes(stat.as_bytes(), |stat| {
            _ = parse_stat(42, stat);
        });
    }

    #[test]
    fn a_cut_off_line_is_no_process() {
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
