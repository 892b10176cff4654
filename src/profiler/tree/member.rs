//! The life of one process of the tree.
//!
//! # Whose memory a reading shows
//!
//! Between its fork and its exec a process shows its *parent's* memory: 180 MB for
//! what becomes a small `ssh`. It is told by its command line, which then still
//! is the parent's to the byte. Until that changes it is a [`Image::Copy`], and
//! its readings count for nothing, unless it stays one for [`GENUINE_AFTER`]: then
//! it is a fork that works without an exec, and its pages are its own concern.
//!
//! When the command line has changed, the memory is read once more after it. Else
//! an exec between the two would pass the parent's memory off as the new image's.
//!
//! # Peaks and exec
//!
//! A process keeps its record when it executes another program. The peak is the
//! largest of all its images' own marks: a shell that became python is as large as
//! python was, and would have been as large as the shell had that been larger.
//! What a copy showed is forgotten at its exec.
//!
//! # What the kernel tells
//!
//! Where births and execs are told (`kernel/`), a process is a copy from its birth to
//! its exec, and nobody need guess by its words. The record of its exit has the final
//! mark of its last image, and whether it ever executed a program: a copy that ends as
//! one leaves no peak, unless it lasted for [`GENUINE_AFTER`].
//!
//! # Swap
//!
//! A mark is of resident pages alone. A process with pages in swap had at least both at
//! the moment of the reading, and nobody knows what else: its peak is a lower bound.

use std::time::Duration;

use super::looks::Print;
use super::peak::Peak;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::process::ProcessGlance;
use crate::profiler::classify::Classified;
use crate::profiler::source::{ExitRecord, Memory, Name};
use crate::record::profile::{Ending, ProcessRecord};
use crate::units::ByteSize;

/// How long a copy of its parent must last to be a process in its own right.
pub(super) const GENUINE_AFTER: Duration = Duration::from_secs(1);

/// By how much a mark may fall in one image: the kernel sums per-CPU counters up
/// exactly when asked, and roughly when it keeps a maximum.
const MARK_WAVERS: u64 = 4 << 20;

/// Whose memory the process shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Image {
    /// Nobody has looked yet.
    Unknown,
    /// Its parent's, or a copy of that.
    Copy,
    /// Its own.
    Own,
}

/// A process of the tree. `H` is how the source reads it.
pub(super) struct Member<H> {
    pub(super) glance: ProcessGlance,
    /// Its parent's place among the members, if that is one.
    pub(super) parent: Option<usize>,
    pub(super) is_root: bool,
    /// It is the main process of the server, as far as anyone can tell.
    pub(super) is_main: bool,
    /// Its own words say that it is an API server.
    pub(super) runs_server: bool,
    pub(super) class: ProcessClass,
    /// Its name when its command line was last read.
    pub(super) name: Option<Name>,
    pub(super) print: Option<Print>,
    pub(super) title: String,
    /// What it is for a reader.
    pub(super) kind: Option<String>,
    pub(super) threads: u32,
    /// In bytes a second. Where marks are read once a second, a spike between two readings
    /// counts as that of one tick: then it is too high, and never too low.
    fastest_growth: Option<u64>,
    untitled: bool,
    state: State<H>,
    image: Image,
    /// The high-water mark of its present image when it was last read; `None` when it was
    /// not, or was lowered since.
    mark: Option<u64>,
    /// The kernel's record of its end has come.
    is_recorded: bool,
    first_seen: Timestamp,
    last_read: Option<Timestamp>,
    /// Of all its own images.
    peak: Peak,
    /// Of the copy that it is, since that was found to be a process in its own right: a
    /// mark that was lowered does not tell it any more.
    copied: Peak,
    peak_while_starting: Option<u64>,
    /// The most that was in swap at one reading, if anything was.
    swapped: Option<u64>,
}

enum State<H> {
    Running(H),
    Ended(Ending),
}

/// Two readings that are closer to one another say little about how fast memory grows.
const RATE_OVER: Duration = Duration::from_millis(5);

impl<H> Member<H> {
    pub(super) fn new(
        glance: ProcessGlance,
        parent: Option<usize>,
        is_root: bool,
        handle: H,
        at: Timestamp,
    ) -> Self {
        Self {
            glance,
            parent,
            is_root,
            is_main: is_root,
            runs_server: false,
            class: ProcessClass::Other,
            name: None,
            print: None,
            title: String::new(),
            kind: None,
            threads: 0,
            fastest_growth: None,
            untitled: false,
            state: State::Running(handle),
            image: Image::Unknown,
            mark: None,
            is_recorded: false,
            first_seen: at,
            last_read: None,
            peak: Peak::default(),
            copied: Peak::default(),
            peak_while_starting: None,
            swapped: None,
        }
    }

    pub(super) fn handle(&mut self) -> Option<&mut H> {
        match &mut self.state {
            State::Running(handle) => Some(handle),
            State::Ended(_) => None,
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// Still to exec, at `at`, as far as anyone can tell.
    pub(super) fn is_artefact(&self, at: Timestamp) -> bool {
        self.is_copy() && at.since(self.first_seen) < GENUINE_AFTER
    }

    pub(super) fn is_copy(&self) -> bool {
        matches!(self.image, Image::Copy)
    }

    /// It was just forked, as the kernel told: it is a copy until the kernel tells of an
    /// exec, or until it takes other words.
    pub(super) fn on_fork(&mut self) {
        self.image = Image::Copy;
    }

    /// It executed a program, as the kernel told.
    pub(super) fn on_exec(&mut self) {
        self.leave_image();
        // Its words are to be read and looked at, whatever its name and though they may be
        // known already.
        self.name = None;
        self.print = None;
    }

    /// It has an image of its own from here on: marks of the one before say nothing of it,
    /// and what a copy showed was its parent's.
    fn leave_image(&mut self) {
        self.image = Image::Own;
        self.copied = Peak::default();
        self.forget_mark();
    }

    /// Whether only its parent's words can tell whose memory it shows.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.image, Image::Unknown)
    }

    /// Takes note of its command line; `parents` are those that its parent had
    /// shortly before and has now. Says whether it is another than before.
    pub(super) fn take_command_line(&mut self, print: Print, parents: &[Print]) -> bool {
        if self.print == Some(print) {
            return false;
        }
        let is_first = self.print.replace(print).is_none();
        let image = match self.image {
            // So it was born, and these are its parent's words.
            Image::Copy if is_first => Image::Copy,
            Image::Unknown if parents.contains(&print) => Image::Copy,
            Image::Unknown | Image::Copy | Image::Own => Image::Own,
        };
        match (self.image, image) {
            (Image::Copy, Image::Own) => self.leave_image(),
            _ => self.image = image,
        }
        true
    }

    /// Takes note of its class.
    pub(super) fn take_class(&mut self, class: Classified) {
        (self.class, self.untitled) = match class {
            Classified::As(class) => (class, false),
            Classified::Still(class) => (class, class == ProcessClass::StartingExecutor),
        };
    }

    /// Another process is the server's main one.
    pub(super) fn lose_main(&mut self) {
        if std::mem::take(&mut self.is_main) {
            self.take_class(Classified::As(ProcessClass::Other));
        }
    }

    /// The server spawned it, and it does not say yet as what.
    pub(super) fn is_untitled(&self) -> bool {
        self.untitled
    }

    /// Whether its mark says that it has executed a program: nothing else lets it
    /// fall by much.
    pub(super) fn has_fallen(&self, memory: Memory) -> bool {
        self.mark.is_some_and(|mark| memory.high_water + MARK_WAVERS < mark)
    }

    /// Takes note of its memory.
    pub(super) fn take_memory(&mut self, memory: Memory, at: Timestamp) {
        self.threads = self.threads.max(memory.threads);
        if self.is_copy() && self.has_fallen(memory) {
            // An exec of the parent's very words.
            self.leave_image();
        }
        if !memory.repeated {
            self.take_growth(memory, at);
        }
        self.mark = Some(memory.high_water);
        if self.is_artefact(at) {
            return;
        }
        if !memory.repeated {
            // What grew since then, nobody saw.
            self.last_read = Some(at);
        }
        self.swapped = self.swapped.max(memory.swap.filter(|&swap| swap > 0));
        if self.is_copy() {
            self.copied.raise(memory.at_least());
        } else {
            self.raise_peak(memory.at_least());
        }
    }

    fn raise_peak(&mut self, mark: u64) {
        self.peak.raise(mark);
        if self.class == ProcessClass::StartingExecutor {
            self.peak_while_starting = self.peak.whole;
        }
    }

    /// Takes the kernel's record of the end of one of its threads, all of which share its
    /// memory.
    pub(super) fn take_exit(&mut self, record: &ExitRecord) {
        let is_first = record.is_of_first_thread();
        self.is_recorded |= is_first;
        let has_own_memory = match self.image {
            Image::Own => true,
            // Only of a first thread is it known whether it executed a program.
            Image::Unknown | Image::Copy => {
                is_first && (!record.never_executed || record.lived >= GENUINE_AFTER)
            }
        };
        if has_own_memory {
            if is_first && record.never_executed {
                self.peak.absorb(self.copied);
            }
            if self.image != Image::Own {
                self.leave_image();
            }
            self.raise_peak(record.high_water);
        }
        if self.title.is_empty() {
            self.title = record.name.text();
        }
    }

    /// Its class and its peak since marks were last reset; from here on it is of the time
    /// from now on.
    pub(super) fn take_window_peak(&mut self) -> Option<(ProcessClass, ByteSize)> {
        let (own, copied) = (self.peak.take_window(), self.copied.take_window());
        Some((self.class, ByteSize(own.max(copied)?)))
    }

    /// Its mark was lowered, or is that of another image.
    pub(super) fn forget_mark(&mut self) {
        self.mark = None;
    }

    /// How fast its mark rose since its last reading, while it was the same image's.
    fn take_growth(&mut self, memory: Memory, at: Timestamp) {
        let (Some(mark), Some(last)) = (self.mark, self.last_read) else { return };
        let pause = at.since(last);
        if self.is_copy() || self.has_fallen(memory) || pause < RATE_OVER {
            return;
        }
        let grown = u128::from(memory.high_water.saturating_sub(mark));
        let rate = grown * 1_000_000 / pause.as_micros();
        self.fastest_growth = self.fastest_growth.max(u64::try_from(rate).ok());
    }

    /// It was found to be gone at `at`.
    pub(super) fn end(&mut self, at: Timestamp) {
        if self.is_alive() {
            let unseen = self.last_read.map(|last| at.since(last));
            self.state = State::Ended(Ending::Unread { unseen });
        }
    }

    pub(super) fn record(&self) -> ProcessRecord {
        ProcessRecord {
            identity: self.glance.identity,
            parent: self.glance.parent,
            class: self.class,
            title: self.title.clone(),
            kind: self.kind.clone(),
            first_seen: self.first_seen,
            last_read: self.last_read,
            peak: self.peak.whole.max(self.copied.whole).map(ByteSize),
            peak_while_starting: self.peak_while_starting.map(ByteSize),
            swapped: self.swapped.map(ByteSize),
            threads: self.threads,
            fastest_growth: self.fastest_growth.map(ByteSize),
            ending: match self.state {
                State::Running(_) => Ending::Alive,
                State::Ended(_) if self.is_recorded => Ending::Recorded,
                State::Ended(unread) => unread,
            },
        }
    }
}
