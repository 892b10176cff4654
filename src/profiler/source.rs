//! What the profiler asks of an operating system, and nothing more: `procfs`
//! answers on Linux, `sampled` elsewhere, `fake` in the tests of the tree.

use std::io;
use std::time::Duration;

use super::Marker;
use crate::process::ProcessGlance;
use crate::record::profile::ProfilerLevel;

/// One process in a list of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) pid: u32,
    /// Changes when the pid is given to another process. A start time does not
    /// always: it counts in steps of 10 ms.
    pub(super) generation: u64,
}

/// A look at the memory of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Memory(Memory),
    /// There is no such process any more, or it is a zombie and holds nothing.
    Ended,
}

/// The memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) rss: u64,
    /// The most that the present image of the process ever had; where the system
    /// keeps no such mark, what it has now.
    pub(super) high_water: u64,
    /// What of it is in swap and not resident, if that was read together with the rest.
    pub(super) swap: Option<u64>,
    pub(super) threads: u32,
    pub(super) name: Name,
    /// Nobody looked this time: it is what was read last.
    pub(super) repeated: bool,
}

impl Memory {
    /// The most that the process is known to have had: what is in swap is in no mark,
    /// but it was the process's own beside what is resident.
    pub(super) fn at_least(&self) -> u64 {
        self.high_water.max(self.rss.saturating_add(self.swap.unwrap_or(0)))
    }
}

/// The short name that the system keeps of a process, beside its command line.
/// Another one means that it has executed a program, or took a title.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Name([u8; 16]);

impl Name {
    /// As text, as far as it is any.
    pub(super) fn text(self) -> String {
        String::from_utf8_lossy(&self.0).trim_end_matches('\0').to_owned()
    }

    /// The first bytes of `name`, which are all of it on Linux.
    pub(super) fn of(name: &[u8]) -> Self {
        let mut start = [0; 16];
        for (to, from) in start.iter_mut().zip(name) {
            *to = *from;
        }
        Self(start)
    }
}

/// What a process has for itself and what it shares, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// A page that N processes map counts as one Nth.
    pub(super) pss: u64,
    /// Pages that no other process maps.
    pub(super) uss: u64,
}

/// What has happened to processes of the machine, in no order beyond that of each list.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) births: Vec<Birth>,
    /// Pids of processes that executed a program.
    pub(super) execs: Vec<u32>,
    pub(super) exits: Vec<ExitRecord>,
    /// How often more happened than the kernel could keep.
    pub(super) lost: u64,
}

impl News {
    pub(super) fn clear(&mut self) {
        self.births.clear();
        self.execs.clear();
        self.exits.clear();
        self.lost = 0;
    }
}

/// A process was forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Birth {
    pub(super) pid: u32,
    pub(super) parent: u32,
    /// When: clock ticks since boot, as a process's start time is counted.
    pub(super) started: u64,
}

/// What the kernel says of a thread that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExitRecord {
    /// The thread; a process's first has the pid of the process.
    pub(super) thread: u32,
    /// The process whose thread it was; `None` where the kernel does not say.
    pub(super) process: Option<u32>,
    /// The process's parent when the thread ended.
    pub(super) parent: u32,
    /// The most memory that the process's last image ever had, in bytes.
    pub(super) high_water: u64,
    /// The process was forked and did not execute a program. Says nothing unless the
    /// thread is its process's first.
    pub(super) never_executed: bool,
    /// About when it began: clock ticks since boot, too late by the time from its end until
    /// the record was asked for.
    pub(super) started: u64,
    /// How long the thread lived.
    pub(super) lived: Duration,
    pub(super) name: Name,
}

impl ExitRecord {
    /// Whether it is of a process's first thread.
    pub(super) fn is_of_first_thread(&self) -> bool {
        self.process.is_none_or(|process| process == self.thread)
    }
}

/// An operating system's processes.
pub(super) trait ProcessSource {
    /// Lets one process be read again and again cheaply. Never reads another
    /// process that was given the same pid.
    type Handle;

    /// How exact its readings are.
    fn level(&self) -> ProfilerLevel;

    /// Whether its news tell of every birth and exec.
    fn tells_births(&self) -> bool;

    /// Adds what has happened since it was last asked: an exit is not in it before the
    /// birth of the same process is.
    fn take_news(&mut self, news: &mut News);

    /// Replaces `found` by all processes of the machine.
    fn list(&mut self, found: &mut Vec<Listed>) -> io::Result<()>;

    /// Who a process is and whose child.
    fn look_up(&mut self, pid: u32) -> Option<ProcessGlance>;

    /// Replaces `text` by the words of a command line, each ended by a NUL. False
    /// when there is no such process.
    ///
    /// On Linux this waits until the process has finished any change that it is
    /// making to its address space, and on a busy machine it may be long until it
    /// reaches it: several 100 ms were seen. Not to be asked without need.
    fn command_line(&mut self, pid: u32, text: &mut Vec<u8>) -> bool;

    /// Whether the process is known to have the marker in its environment.
    fn carries(&mut self, pid: u32, marker: &Marker) -> bool;

    /// TCP ports on which the process waits for connections.
    fn listening_ports(&mut self, pid: u32) -> Vec<u16>;

    /// Gets ready to read a process often.
    fn open(&mut self, pid: u32) -> Self::Handle;

    /// Reads its memory. Where the end of a process brings its mark, the mark may be read
    /// more seldom than the rest: what is given is a lower bound then, until it is read
    /// the next time or [`ProcessSource::renew`] was called. Of a process at rest it may
    /// be what was read a moment ago, which is said of it ([`Memory::repeated`]), and its end
    /// be found a moment later.
    fn read(&mut self, handle: &mut Self::Handle) -> Reading;

    /// Has everything read at the next reading, the mark among it: what is known is of
    /// another image, was lowered, or is to be exact now; or the process has ended.
    fn renew(&mut self, handle: &mut Self::Handle);

    /// Lowers a process's high-water mark to what it has now, so that the mark tells of
    /// the time from here on. Whether that was granted.
    fn reset_mark(&mut self, pid: u32) -> bool;

    /// Reads what it shares: some thousand times as costly on Linux.
    fn shares(&mut self, pid: u32) -> Option<Shares>;
}
