//! State of one process of the tree, from its discovery to its exit.
//!
//! # Forks before their exec
//!
//! Between fork and exec a process shows its *parent's* memory: 180 MB for a process that
//! becomes a small `ssh`. Its command line is then identical to the parent's. Until it
//! changes, the image is [`Image::Forked`] and readings are not counted. After
//! [`PRE_EXEC_LIMIT`] the process is a fork that works without an exec, and its readings
//! count as its own.
//!
//! When the command line has changed, the memory is read again after it. Otherwise an exec
//! between the two readings would attribute the parent's memory to the new image.
//!
//! # Peaks and exec
//!
//! A process keeps its record when it executes another program. Its peak is the largest
//! high-water mark of all its own images: of a shell that executes python, the larger of the
//! two. Readings before the exec of a fork are discarded.
//!
//! # Kernel events
//!
//! With fork and exec events (`kernel/`), the image is [`Image::Forked`] from the fork event
//! to the exec event, without a comparison of command lines. The exit record has the final
//! high-water mark of the last image, and whether the process ever executed a program: a
//! fork that exits without an exec has no peak, unless it lived for [`PRE_EXEC_LIMIT`].
//!
//! # Swap
//!
//! A high-water mark counts resident pages only. A process with pages in swap at a reading
//! had at least the sum of both then, and an unknown amount at other times: its peak is a
//! lower bound.

mod records;

use std::time::Duration;

use self::records::RssRange;
use super::command_line::Fingerprint;
use super::executors::Watch;
use super::peak::Peak;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::process::ProcessStat;
use crate::profiler::classify::Classified;
use crate::profiler::source::{ExitRecord, Memory, Name};
use crate::record::profile::Ending;
use crate::units::ByteSize;

/// Time after which a fork without an exec counts as a process of its own.
pub(super) const PRE_EXEC_LIMIT: Duration = Duration::from_secs(1);

/// Drop of a high-water mark that is possible without an exec, in bytes: the kernel sums its
/// per-CPU counters exactly for a reading, and approximately for the maximum that it keeps.
const HIGH_WATER_TOLERANCE: u64 = 4 << 20;

/// Image whose memory the process shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Image {
    /// Image not known before the first reading of the command line.
    Unknown,
    /// Image of the parent, after a fork without an exec.
    Forked,
    /// Image of its own.
    Own,
}

/// Process of the tree. `H` is the source's handle for readings.
pub(super) struct Member<H> {
    pub(super) stat: ProcessStat,
    /// Index of the parent, if that is a member.
    pub(super) parent: Option<usize>,
    pub(super) is_root: bool,
    /// Whether the process is the main process of the server, as far as known.
    pub(super) is_main: bool,
    /// Whether its own command line is that of an API server.
    pub(super) runs_server: bool,
    pub(super) class: ProcessClass,
    /// Name at the last reading of the command line.
    pub(super) name: Option<Name>,
    pub(super) fingerprint: Option<Fingerprint>,
    pub(super) title: String,
    /// Short description for reports, such as the name of the program.
    pub(super) kind: Option<String>,
    pub(super) threads: u32,
    /// RSS since the last readings of single processes; `None` before the first sample after them.
    rss: Option<RssRange>,
    /// Anonymous memory at its last reading, in bytes; `None` before the first one.
    anonymous: Option<u64>,
    /// Fastest growth of the high-water mark, in bytes per second. If the mark is read less
    /// often than the rest, its growth counts for the last sampling interval: the rate is
    /// then too high, never too low.
    fastest_growth: Option<u64>,
    /// Time and high-water mark of the reading that growth is measured from, of the same image;
    /// `None` before its second reading.
    growth_from: Option<(Timestamp, u64)>,
    untitled: bool,
    state: State<H>,
    image: Image,
    /// Last reading of the current image's high-water mark, in bytes; `None` before the first
    /// one and after a reset.
    high_water: Option<u64>,
    /// Whether the exit record of the process has arrived.
    has_exit_record: bool,
    /// Signal that ended the process, by its exit record.
    signal: Option<u8>,
    /// Time of the sample that noticed the exit.
    exited: Option<Timestamp>,
    first_seen: Timestamp,
    last_read: Option<Timestamp>,
    /// Peak over all images of its own.
    peak: Peak,
    /// Peak as a fork without an exec, once older than [`PRE_EXEC_LIMIT`]. Kept apart because
    /// an exec discards it, and kept at all because a reset of the high-water mark would
    /// otherwise lose it.
    forked_peak: Peak,
    peak_while_starting: Option<u64>,
    /// Largest amount in swap at one reading, in bytes; `None` if there never was any.
    swapped: Option<u64>,
    /// Last readings of an executor.
    pub(super) watch: Watch,
}

/// Whether a member runs, and how it exited.
enum State<H> {
    Running(H),
    Exited(Ending),
}

/// Time between two readings below which no growth rate is computed: it would be inaccurate. The
/// growth since the reading before both counts instead.
const MIN_RATE_INTERVAL: Duration = Duration::from_millis(5);

impl<H> Member<H> {
    pub(super) fn new(
        stat: ProcessStat,
        parent: Option<usize>,
        is_root: bool,
        handle: H,
        at: Timestamp,
    ) -> Self {
        Self {
            stat,
            parent,
            is_root,
            // The root counts as the server until a process is found that runs one.
            is_main: is_root,
            runs_server: false,
            class: ProcessClass::Other,
            name: None,
            fingerprint: None,
            title: String::new(),
            kind: None,
            threads: 0,
            rss: None,
            anonymous: None,
            fastest_growth: None,
            growth_from: None,
            untitled: false,
            state: State::Running(handle),
            image: Image::Unknown,
            high_water: None,
            has_exit_record: false,
            signal: None,
            exited: None,
            first_seen: at,
            last_read: None,
            peak: Peak::default(),
            forked_peak: Peak::default(),
            peak_while_starting: None,
            swapped: None,
            watch: Watch::default(),
        }
    }

    pub(super) fn handle(&mut self) -> Option<&mut H> {
        match &mut self.state {
            State::Running(handle) => Some(handle),
            State::Exited(_) => None,
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// Whether the process is presumably about to exec: a fork younger than
    /// [`PRE_EXEC_LIMIT`] at `at`.
    pub(super) fn is_pre_exec(&self, at: Timestamp) -> bool {
        self.is_fork() && at.since(self.first_seen) < PRE_EXEC_LIMIT
    }

    /// Whether the process is a fork without an exec.
    pub(super) fn is_fork(&self) -> bool {
        matches!(self.image, Image::Forked)
    }

    /// Applies a fork event: the image is the parent's until an exec event or a new command
    /// line.
    pub(super) fn on_fork(&mut self) {
        self.image = Image::Forked;
    }

    /// Applies an exec event.
    pub(super) fn on_exec(&mut self) {
        self.start_own_image();
        // So that the next reading reads the command line and classifies the process, even
        // if neither name nor command line has changed.
        self.name = None;
        self.fingerprint = None;
    }

    /// Starts a new image: discards the high-water mark of the previous one, and the peak as
    /// a fork, which was of the parent's memory.
    fn start_own_image(&mut self) {
        self.image = Image::Own;
        self.forked_peak = Peak::default();
        self.clear_high_water();
    }

    /// Whether a comparison with the parent's command line must decide whose image it has.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.image, Image::Unknown)
    }

    /// Updates the command line; `parents` are the fingerprints of the parent's previous and
    /// current one. Returns whether it has changed.
    pub(super) fn update_command_line(
        &mut self,
        fingerprint: Fingerprint,
        parents: &[Fingerprint],
    ) -> bool {
        if self.fingerprint == Some(fingerprint) {
            return false;
        }
        let is_first = self.fingerprint.replace(fingerprint).is_none();
        let image = match self.image {
            // The first command line after a fork event is still the parent's.
            Image::Forked if is_first => Image::Forked,
            // Without a fork event, only the command line of the parent shows that there was no
            // exec.
            Image::Unknown if parents.contains(&fingerprint) => Image::Forked,
            Image::Unknown | Image::Forked | Image::Own => Image::Own,
        };
        match (self.image, image) {
            (Image::Forked, Image::Own) => self.start_own_image(),
            _ => self.image = image,
        }
        true
    }

    /// Sets the class.
    pub(super) fn set_class(&mut self, class: Classified) {
        (self.class, self.untitled) = match class {
            Classified::Final(class) => (class, false),
            // Titles and ports are awaited only for processes that the server spawned.
            Classified::Provisional(class) => (class, class == ProcessClass::StartingExecutor),
        };
    }

    /// Clears the flag of the main process, after another one was found.
    pub(super) fn clear_main(&mut self) {
        if std::mem::take(&mut self.is_main) {
            // The process is a program around the server, such as `timeout`.
            self.set_class(Classified::Final(ProcessClass::Other));
        }
    }

    /// Whether the server spawned the process and it has no title yet.
    pub(super) fn is_untitled(&self) -> bool {
        self.untitled
    }

    /// Whether the high-water mark has dropped by more than the tolerance, which shows an
    /// exec.
    pub(super) fn peak_dropped(&self, memory: Memory) -> bool {
        self.high_water
            .is_some_and(|high_water| memory.high_water + HIGH_WATER_TOLERANCE < high_water)
    }

    /// Updates peaks, growth and threads by a reading.
    pub(super) fn update_memory(&mut self, memory: Memory, at: Timestamp) {
        self.threads = self.threads.max(memory.threads);
        if self.is_fork() && self.peak_dropped(memory) {
            // An exec with the same command line as the parent's.
            self.start_own_image();
        }
        if !memory.cached {
            // Needs the previous high-water mark and time of reading, which are replaced below.
            self.update_growth(memory, at);
        }
        // Read less often than the rest, and first as a fork.
        self.anonymous = memory.anonymous.or(self.anonymous);
        // Also set for a fork: a later drop below this value shows an exec without an event.
        self.high_water = Some(memory.high_water);
        if self.is_pre_exec(at) {
            return;
        }
        self.rss = Some(RssRange::with(self.rss, memory));
        if !memory.cached {
            // A cached reading must not count: growth since the last real one is unread.
            self.last_read = Some(at);
        }
        // 0 stays `None`: any amount makes the peak a lower bound.
        self.swapped = self.swapped.max(memory.swap.filter(|&swap| swap > 0));
        if self.is_fork() {
            self.forked_peak.raise(memory.at_least());
        } else {
            self.raise_peak(memory.at_least());
        }
    }

    fn raise_peak(&mut self, bytes: u64) {
        self.peak.raise(bytes);
        // Kept apart, since `peak` goes to the class that the executor gets later.
        if self.class == ProcessClass::StartingExecutor {
            self.peak_while_starting = self.peak.whole;
        }
    }

    /// Applies the exit record of one of its threads, which all share its memory.
    pub(super) fn apply_exit_record(&mut self, record: &ExitRecord) {
        let is_first = record.is_of_first_thread();
        self.has_exit_record |= is_first;
        if is_first {
            self.signal = record.signal;
        }
        let has_own_memory = match self.image {
            // Any thread counts: the last one to exit has the final value, and may not be the
            // first.
            Image::Own => true,
            // `never_executed` is valid for the first thread only.
            Image::Unknown | Image::Forked => {
                is_first && (!record.never_executed || record.lived >= PRE_EXEC_LIMIT)
            }
        };
        if has_own_memory {
            // Without an exec, the readings as a fork were of its own memory.
            if is_first && record.never_executed {
                self.peak.merge(self.forked_peak);
            }
            // If an exec was missed, the peak as a fork was of the parent's memory.
            if self.image != Image::Own {
                self.start_own_image();
            }
            self.raise_peak(record.high_water);
        }
        // A process that exited before any reading has no other name.
        if self.title.is_empty() {
            self.title = record.name.text();
        }
    }

    /// Class and peak of the current window; the next window starts without a peak.
    pub(super) fn take_window_peak(&mut self) -> Option<(ProcessClass, ByteSize)> {
        let (own, forked) = (self.peak.take_window(), self.forked_peak.take_window());
        Some((self.class, ByteSize(own.max(forked)?)))
    }

    /// Discards the last high-water mark, after a reset or an exec.
    pub(super) fn clear_high_water(&mut self) {
        self.high_water = None;
        self.growth_from = None;
    }

    /// Updates the fastest growth by the rise of the high-water mark since an earlier reading of
    /// the same image.
    fn update_growth(&mut self, memory: Memory, at: Timestamp) {
        let (Some(high_water), Some(last)) = (self.high_water, self.last_read) else { return };
        // A fork may soon exec, and a drop shows an exec: between two images there is no growth.
        if self.is_fork() || self.peak_dropped(memory) {
            self.growth_from = None;
            return;
        }
        if at.since(last) >= MIN_RATE_INTERVAL {
            self.growth_from = Some((last, high_water));
        }
        let Some((from, before)) = self.growth_from else { return };
        let grown = u128::from(memory.high_water.saturating_sub(before));
        // In 128 bits: 18 TB times a million overflow 64. The time is not 0, see above.
        let rate = grown * 1_000_000 / at.since(from).as_micros();
        self.fastest_growth = self.fastest_growth.max(u64::try_from(rate).ok());
    }

    /// Marks the process as exited; `at` is the time of the sample that noticed.
    pub(super) fn set_exited(&mut self, at: Timestamp) {
        if self.is_alive() {
            let unseen = self.last_read.map(|last| at.since(last));
            self.state = State::Exited(Ending::Unread { unseen });
            self.exited = Some(at);
        }
    }
}
