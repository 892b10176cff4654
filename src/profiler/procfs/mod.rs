//! Linux: processes as `/proc` shows them (proc(5)), read by hand.
//!
//! Crates that model all of `/proc` cost five to ten times as much per tick. What
//! is read often is read through a kept-open file into a reused buffer.

mod handle;
mod text;

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::DirEntryExt;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use self::handle::Handle;

use super::Marker;
use super::kernel::Kernel;
use super::source::{Listed, News, ProcessSource, Reading, Shares};
use crate::listeners::Listeners;
use crate::process::{self, ProcessGlance};
use crate::record::profile::ProfilerLevel;

/// `status` is some 1.5 kB; a process in hundreds of groups has a longer one.
const STATUS_BUFFER: usize = 8 * 1024;

/// A command line may be megabytes long. No class depends on so much of it.
const COMMAND_LINE_LIMIT: u64 = 64 * 1024;

/// Where exit records bring the final mark, it is enough to read that of a living process
/// so often.
const MARK_EVERY: Duration = Duration::from_secs(1);

/// Open files that are left for everything but kept-open processes.
const SPARE_FILES: usize = 64;

/// The processes of this machine.
pub(super) struct ProcFs {
    level: ProfilerLevel,
    /// One reading in so many has the mark.
    mark_every: u32,
    kernel: Kernel,
    buffer: Box<[u8; STATUS_BUFFER]>,
    listeners: Listeners,
    /// Cloned into each kept-open handle, so that its count is theirs.
    open: Rc<()>,
    most_open: usize,
}

impl ProcFs {
    /// Gets ready to read once in each interval, at a level that is granted. Raises the
    /// limit of open files as far as that is allowed.
    pub(super) fn new(level: ProfilerLevel, kernel: Kernel, interval: Duration) -> Self {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, hard)| {
            let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
            if raised { hard } else { soft }
        });
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mark_every = match level {
            ProfilerLevel::ExitRecords => MARK_EVERY.as_micros() / interval.as_micros().max(1),
            _ => 1,
        };
        Self {
            level,
            mark_every: u32::try_from(mark_every).unwrap_or(u32::MAX).max(1),
            kernel,
            buffer: Box::new([0; STATUS_BUFFER]),
            listeners: Listeners::default(),
            open: Rc::new(()),
            most_open: limit.saturating_sub(SPARE_FILES) / handle::FILES,
        }
    }
}

impl ProcessSource for ProcFs {
    type Handle = Handle;

    fn level(&self) -> ProfilerLevel {
        self.level
    }

    fn tells_births(&self) -> bool {
        self.kernel.tells_births()
    }

    fn take_news(&mut self, news: &mut News) {
        self.kernel.take(news);
    }

    fn list(&mut self, found: &mut Vec<Listed>) -> io::Result<()> {
        found.clear();
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            // The number of the directory is new with each process.
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            found.extend(pid.map(|pid| Listed { pid, generation: entry.ino() }));
        }
        Ok(())
    }

    fn look_up(&mut self, pid: u32) -> Option<ProcessGlance> {
        process::look_up(pid)
    }

    fn command_line(&mut self, pid: u32, text: &mut Vec<u8>) -> bool {
        text.clear();
        File::open(format!("/proc/{pid}/cmdline"))
            .and_then(|file| file.take(COMMAND_LINE_LIMIT).read_to_end(text))
            .is_ok()
    }

    fn carries(&mut self, pid: u32, marker: &Marker) -> bool {
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environment| text::has_variable(&environment, marker))
    }

    fn listening_ports(&mut self, pid: u32) -> Vec<u16> {
        self.listeners.ports_of(pid)
    }

    fn open(&mut self, pid: u32) -> Handle {
        // The count includes the source's own.
        let may_keep = Rc::strong_count(&self.open) <= self.most_open;
        Handle::open(pid, may_keep.then(|| Rc::clone(&self.open)))
    }

    fn read(&mut self, handle: &mut Handle) -> Reading {
        handle.read(&mut self.buffer[..], self.mark_every).map_or(Reading::Ended, Reading::Memory)
    }

    fn renew(&mut self, handle: &mut Handle) {
        handle.renew();
    }

    fn reset_mark(&mut self, pid: u32) -> bool {
        /// Resets the mark and nothing else (proc(5)).
        const HIGH_WATER_MARK: &str = "5";
        fs::write(format!("/proc/{pid}/clear_refs"), HIGH_WATER_MARK).is_ok()
    }

    fn shares(&mut self, pid: u32) -> Option<Shares> {
        text::shares(&fs::read(format!("/proc/{pid}/smaps_rollup")).ok()?)
    }
}

/// The peak of this very process, in bytes.
pub(super) fn own_peak() -> Option<u64> {
    text::memory(&fs::read("/proc/self/status").ok()?).map(|memory| memory.high_water)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn source() -> ProcFs {
        let interval = Duration::from_millis(50);
        ProcFs::new(ProfilerLevel::HighWaterMark, Kernel::births_only(), interval)
    }

    #[test]
    fn marks_are_read_once_a_second_however_far_apart_ticks_are() {
        for (millis, expected) in [(50, 20), (200, 5), (700, 1), (2000, 1)] {
            let interval = Duration::from_millis(millis);
            let source = |level| ProcFs::new(level, Kernel::unheard(), interval).mark_every;
            assert_eq!(source(ProfilerLevel::ExitRecords), expected, "every {interval:?}");
            assert_eq!(source(ProfilerLevel::HighWaterMark), 1);
        }
    }

    #[test]
    fn a_mark_that_was_reset_is_what_the_process_has_now() {
        let mut source = source();
        let mut handle = source.open(std::process::id());
        drop(std::hint::black_box(vec![1_u8; 80 << 20]));
        let mut read = || match source.read(&mut handle) {
            Reading::Memory(memory) => memory,
            Reading::Ended => panic!("we are alive"),
        };
        let before = read();
        assert!(before.high_water > before.rss + (40 << 20), "{before:?}");
        assert!(super::ProcessSource::reset_mark(&mut self::source(), std::process::id()));
        let after = read();
        assert!(after.high_water < before.high_water - (40 << 20), "{after:?}");
    }

    #[test]
    fn this_process_is_listed_and_read() {
        let (mut source, mut all) = (source(), Vec::new());
        source.list(&mut all).unwrap();
        assert!(all.iter().any(|listed| listed.pid == std::process::id()));
        let mut handle = source.open(std::process::id());
        let Reading::Memory(memory) = source.read(&mut handle) else { panic!("we are alive") };
        assert!(memory.high_water >= memory.rss && memory.rss > 1 << 20);
        assert!(source.shares(std::process::id()).unwrap().uss > 0);
    }

    #[test]
    fn a_process_beyond_the_limit_of_open_files_is_read_all_the_same() {
        let mut source = ProcFs { most_open: 1, ..source() };
        let mut handles = [source.open(std::process::id()), source.open(std::process::id())];
        assert!(handles[0].is_kept() && !handles[1].is_kept());
        assert!(handles.iter_mut().all(|handle| source.read(handle) != Reading::Ended));
    }

    #[test]
    fn a_name_that_ends_inside_a_character_hides_no_process() {
        let named = fake_sky::non_utf8::NonUtf8Process::start().unwrap();
        let mut source = source();
        let seen = source.look_up(named.pid()).expect("it runs");
        assert_eq!(seen.parent, std::process::id());
        let mut handle = source.open(named.pid());
        assert_ne!(source.read(&mut handle), Reading::Ended);
    }

    #[test]
    fn a_zombie_has_ended_and_so_has_a_reaped_process() {
        let mut child = Command::new("/bin/sh").args(["-c", "read x"]).spawn().unwrap();
        let mut source = source();
        let mut handle = source.open(child.id());
        child.kill().unwrap();
        while !source.look_up(child.id()).is_some_and(|glance| glance.zombie) {
            std::thread::yield_now();
        }
        assert_eq!(source.read(&mut handle), Reading::Ended);
        child.wait().unwrap();
        assert_eq!(source.read(&mut handle), Reading::Ended);
    }
}
