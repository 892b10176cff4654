//! Interface to the operating system: implemented by `procfs` on Linux, by `sampled` on
//! other systems, and by `fake` in the tests of the tree.

use std::io;
use std::time::Duration;

use super::Marker;
use crate::process::ProcessStat;
use crate::record::profile::{Output, ProfilerLevel};

/// Entry of the list of all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) pid: u32,
    /// Number that changes when the pid is reused. A start time may not: its unit is 10 ms.
    pub(super) generation: u64,
}

/// Result of reading the memory of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Memory(Memory),
    /// Process that has exited, or a zombie, which holds no memory.
    Ended,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) rss: u64,
    /// Resident memory without mapped files (`RssAnon` and `RssShmem`); `None` if it was not read,
    /// or before Linux 4.5.
    pub(super) anonymous: Option<u64>,
    /// High-water mark of the current image (`VmHWM`); the resident memory where the
    /// operating system has no high-water mark.
    pub(super) high_water: u64,
    /// Memory in swap, in addition to `rss`; `None` if it was not read.
    pub(super) swap: Option<u64>,
    pub(super) threads: u32,
    pub(super) name: Name,
    /// Whether the high-water mark was read with the rest; otherwise it is a lower bound.
    pub(super) high_water_read: bool,
    /// Whether these are the values of an earlier reading.
    pub(super) cached: bool,
}

impl Memory {
    /// Lower bound of the peak: the high-water mark counts resident pages only, but at the
    /// reading the process had its pages in swap as well.
    pub(super) fn at_least(&self) -> u64 {
        self.high_water.max(self.rss.saturating_add(self.swap.unwrap_or(0)))
    }

    /// Reading without what is read together with the high-water mark only, which is a lower bound
    /// then. An earlier amount of swap may be resident again and must not be added to a later size,
    /// and an earlier amount of anonymous memory is not of a later reading.
    pub(super) const fn without_high_water(self) -> Self {
        Self { anonymous: None, swap: None, high_water_read: false, ..self }
    }
}

/// Short name of a process (`comm` on Linux). Changes at an exec, and when the process sets
/// its title.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Name([u8; 16]);

impl Name {
    /// Name as text; invalid UTF-8 is replaced.
    pub(super) fn text(self) -> String {
        String::from_utf8_lossy(&self.0).trim_end_matches('\0').to_owned()
    }

    /// Name of the first 16 bytes of `name`; Linux has 15 at most.
    pub(super) fn of(name: &[u8]) -> Self {
        let mut start = [0; 16];
        for (to, from) in start.iter_mut().zip(name) {
            *to = *from;
        }
        Self(start)
    }
}

/// PSS and USS of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PssUss {
    /// Proportional set size: a page that N processes map counts as one Nth.
    pub(super) pss: u64,
    /// Unique set size: pages that no other process maps.
    pub(super) uss: u64,
}

/// Events of the machine's processes. Each list is in order; between lists there is none.
#[derive(Debug, Default)]
pub(super) struct ProcessEvents {
    pub(super) forks: Vec<ForkEvent>,
    /// Pids of processes that executed a program.
    pub(super) execs: Vec<u32>,
    pub(super) exits: Vec<ExitRecord>,
    /// Number of times that the kernel dropped events (queue overrun).
    pub(super) dropped: u64,
}

impl ProcessEvents {
    pub(super) fn clear(&mut self) {
        self.forks.clear();
        self.execs.clear();
        self.exits.clear();
        self.dropped = 0;
    }
}

/// Fork of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ForkEvent {
    pub(super) pid: u32,
    pub(super) parent: u32,
    /// Time of the fork in clock ticks since boot, the unit of start times.
    pub(super) started: u64,
}

/// Exit record of a thread (taskstats).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExitRecord {
    /// Thread ID; the first thread of a process has the pid of the process.
    pub(super) thread: u32,
    /// Pid of the thread's process; `None` if the kernel's record lacks it.
    pub(super) process: Option<u32>,
    /// Pid of the process's parent at the exit.
    pub(super) parent: u32,
    /// High-water mark of the process's last image, in bytes.
    pub(super) high_water: u64,
    /// Whether the process was forked and never executed a program. Valid for the first
    /// thread of a process only.
    pub(super) never_executed: bool,
    /// Signal that ended the process; `None` if it exited by itself. Valid for the first thread of
    /// a process only.
    pub(super) signal: Option<u8>,
    /// Approximate start of the thread in clock ticks since boot, too late by the time
    /// between its exit and the reading of the record.
    pub(super) started: u64,
    /// Lifetime of the thread.
    pub(super) lived: Duration,
    pub(super) name: Name,
}

impl ExitRecord {
    /// Whether the record is of the first thread of a process.
    pub(super) fn is_of_first_thread(&self) -> bool {
        self.process.is_none_or(|process| process == self.thread)
    }
}

/// Source of processes of an operating system.
pub(super) trait ProcessSource {
    /// Handle for cheap repeated readings of one process. Never reads another process with
    /// the same pid.
    type Handle;

    /// Level of peaks of the readings.
    fn level(&self) -> ProfilerLevel;

    /// Whether every fork and exec is reported as an event.
    fn has_fork_events(&self) -> bool;

    /// Appends the events since the last call to `events`. The fork of a process comes with
    /// its exit or in an earlier call.
    fn drain_events(&mut self, events: &mut ProcessEvents);

    /// Replaces `found` by all processes of the machine.
    fn list(&mut self, found: &mut Vec<Listed>) -> io::Result<()>;

    /// Looks up identity, parent and state of a process.
    fn look_up(&mut self, pid: u32) -> Option<ProcessStat>;

    /// Replaces `text` by the arguments of a process, each followed by a NUL. False if there
    /// is no such process.
    ///
    /// On Linux this waits for the lock of the process's address space, which the process
    /// holds while it changes its mappings. On a busy machine several 100 ms were observed,
    /// so call this only when necessary.
    fn command_line(&mut self, pid: u32, text: &mut Vec<u8>) -> bool;

    /// Whether the marker was found in the process's environment.
    fn has_marker(&mut self, pid: u32, marker: &Marker) -> bool;

    /// TCP ports on which the process listens.
    fn listening_ports(&mut self, pid: u32) -> Vec<u16>;

    /// Opens a process for repeated readings.
    fn open(&mut self, pid: u32) -> Self::Handle;

    /// Reads the memory of a process. A source with exit records may read the high-water
    /// mark less often than the rest; in between it is a lower bound, until its next reading
    /// or a call of [`ProcessSource::invalidate`]. For an idle process the source may return
    /// an earlier reading ([`Memory::cached`]), and notice the exit some readings later.
    fn read(&mut self, handle: &mut Self::Handle) -> Reading;

    /// Discards the cached values of a handle: the next reading reads everything, including
    /// the high-water mark. Needed after an exec, a reset or an exit, and before a reading
    /// that must be exact.
    fn invalidate(&mut self, handle: &mut Self::Handle);

    /// Resets a process's high-water mark to its current resident memory. False if this
    /// was not permitted or the operating system has no high-water mark.
    fn reset_peak(&mut self, pid: u32) -> bool;

    /// Request that an executor runs, by the file behind its file descriptor 1; `None` after the
    /// exit of the process.
    fn output(&mut self, handle: &mut Self::Handle) -> Option<Output>;

    /// Reads PSS and USS. On Linux this takes about a thousand times as long as
    /// [`ProcessSource::read`].
    fn pss_uss(&mut self, pid: u32) -> Option<PssUss>;

    /// Counts the open files of a process; `None` after its exit, for a process of another user, and
    /// where the operating system does not tell.
    fn open_files(&mut self, pid: u32) -> Option<u32>;

    /// Reads the CPU time of a process and of the exited children that it has waited for, theirs
    /// included; `None` after its exit, and where the operating system does not tell.
    fn cpu_time(&mut self, pid: u32) -> Option<Duration>;

    /// Reads the CPU time as [`ProcessSource::cpu_time`] does, of the process of a handle.
    fn cpu_time_by(&mut self, handle: &mut Self::Handle) -> Option<Duration>;
}
