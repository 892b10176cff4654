//! Process source for Linux: a reader of `/proc` (proc(5)).
//!
//! Crates that model all of `/proc` take five to ten times as much CPU per sample. Files
//! that are read often stay open and are read into a reused buffer.

mod handle;
mod output;
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
use super::source::{Listed, ProcessEvents, ProcessSource, PssUss, Reading};
use crate::listeners::Listeners;
use crate::process::{self, ProcessStat};
use crate::record::profile::{Output, ProfilerLevel};

/// Size of the buffer for `/proc/PID/status`, in bytes. The file has about 1.5 kB, and more
/// for a process with hundreds of supplementary groups.
const STATUS_BUFFER: usize = 8 * 1024;

/// Length up to which a command line is read, in bytes. It may be megabytes long, but no
/// class depends on more than this.
const COMMAND_LINE_LIMIT: u64 = 64 * 1024;

/// Period of readings of the high-water mark with exit records, which have the final value.
const PEAK_INTERVAL: Duration = Duration::from_secs(1);

/// Number of open files reserved for everything but [`Handle`]s.
const SPARE_FILES: usize = 64;

/// Processes of this machine.
pub(super) struct ProcFs {
    level: ProfilerLevel,
    /// Period of readings of the high-water mark, in readings.
    peak_every: u32,
    kernel: Kernel,
    buffer: Box<[u8; STATUS_BUFFER]>,
    listeners: Listeners,
    /// Counter of handles with open files: each has a clone.
    open_handles: Rc<()>,
    max_open: usize,
}

impl ProcFs {
    /// Source for one reading per interval, at a level that is available. Raises the soft
    /// limit of open files to the hard limit.
    pub(super) fn new(level: ProfilerLevel, kernel: Kernel, interval: Duration) -> Self {
        let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, hard)| {
            let raised = setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
            if raised { hard } else { soft }
        });
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let peak_every = match level {
            ProfilerLevel::ExitRecords => PEAK_INTERVAL.as_micros() / interval.as_micros().max(1),
            // Without exit records, the last reading is all that is known of an exited process.
            _ => 1,
        };
        Self {
            level,
            peak_every: u32::try_from(peak_every).unwrap_or(u32::MAX).max(1),
            kernel,
            buffer: Box::new([0; STATUS_BUFFER]),
            listeners: Listeners::default(),
            open_handles: Rc::new(()),
            max_open: limit.saturating_sub(SPARE_FILES) / handle::FILES_PER_HANDLE,
        }
    }
}

impl ProcessSource for ProcFs {
    type Handle = Handle;

    fn level(&self) -> ProfilerLevel {
        self.level
    }

    fn has_fork_events(&self) -> bool {
        self.kernel.has_fork_events()
    }

    fn drain_events(&mut self, events: &mut ProcessEvents) {
        self.kernel.drain(events);
    }

    fn list(&mut self, found: &mut Vec<Listed>) -> io::Result<()> {
        found.clear();
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            // The inode number of `/proc/PID` changes when the pid is reused.
            let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
            // From the directory entry itself, which takes no further call per process.
            found.extend(pid.map(|pid| Listed { pid, generation: entry.ino() }));
        }
        Ok(())
    }

    fn look_up(&mut self, pid: u32) -> Option<ProcessStat> {
        process::look_up(pid)
    }

    fn command_line(&mut self, pid: u32, text: &mut Vec<u8>) -> bool {
        text.clear();
        File::open(format!("/proc/{pid}/cmdline"))
            .and_then(|file| file.take(COMMAND_LINE_LIMIT).read_to_end(text))
            .is_ok()
    }

    fn has_marker(&mut self, pid: u32, marker: &Marker) -> bool {
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environment| text::has_variable(&environment, marker))
    }

    fn listening_ports(&mut self, pid: u32) -> Vec<u16> {
        self.listeners.ports_of(pid)
    }

    fn open(&mut self, pid: u32) -> Handle {
        // The count includes the source's own.
        let may_keep = Rc::strong_count(&self.open_handles) <= self.max_open;
        Handle::open(pid, may_keep.then(|| Rc::clone(&self.open_handles)))
    }

    fn read(&mut self, handle: &mut Handle) -> Reading {
        handle.read(&mut self.buffer[..], self.peak_every).map_or(Reading::Ended, Reading::Memory)
    }

    fn invalidate(&mut self, handle: &mut Handle) {
        handle.invalidate();
    }

    fn reset_peak(&mut self, pid: u32) -> bool {
        /// Value for `clear_refs` that resets the high-water mark only (proc(5)).
        const HIGH_WATER_MARK: &str = "5";
        fs::write(format!("/proc/{pid}/clear_refs"), HIGH_WATER_MARK).is_ok()
    }

    fn output(&mut self, handle: &mut Handle) -> Option<Output> {
        handle.output()
    }

    fn pss_uss(&mut self, pid: u32) -> Option<PssUss> {
        text::pss_uss(&fs::read(format!("/proc/{pid}/smaps_rollup")).ok()?)
    }

    fn open_files(&mut self, pid: u32) -> Option<u32> {
        let path = format!("/proc/{pid}/fd");
        // Linux 6.2 and later have the number as the size of the directory, which takes no list.
        let count = match fs::metadata(&path).ok()?.len() {
            0 => u64::try_from(fs::read_dir(&path).ok()?.count()).ok()?,
            size => size,
        };
        u32::try_from(count).ok()
    }

    fn cpu_time(&mut self, pid: u32) -> Option<Duration> {
        self.cpu_time_by(&mut Handle::open(pid, None))
    }

    fn cpu_time_by(&mut self, handle: &mut Handle) -> Option<Duration> {
        handle.cpu_time(&mut self.buffer[..])
    }
}

/// High-water mark of this process, in bytes.
pub(super) fn own_peak() -> Option<u64> {
    text::status_memory(&fs::read("/proc/self/status").ok()?).map(|memory| memory.high_water)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn source() -> ProcFs {
        let interval = Duration::from_millis(50);
        ProcFs::new(ProfilerLevel::HighWaterMark, Kernel::forks_only(), interval)
    }

    #[test]
    fn with_exit_records_high_water_marks_are_read_once_a_second() {
        for (millis, expected) in [(50, 20), (200, 5), (700, 1), (2000, 1)] {
            let interval = Duration::from_millis(millis);
            let source = |level| ProcFs::new(level, Kernel::without_events(), interval).peak_every;
            assert_eq!(source(ProfilerLevel::ExitRecords), expected, "every {interval:?}");
            assert_eq!(source(ProfilerLevel::HighWaterMark), 1);
        }
    }

    #[test]
    fn a_reset_peak_is_the_current_size() {
        let mut source = source();
        let mut handle = source.open(std::process::id());
        drop(std::hint::black_box(vec![1_u8; 80 << 20]));
        let mut read = || match source.read(&mut handle) {
            Reading::Memory(memory) => memory,
            Reading::Ended => panic!("the process runs"),
        };
        let before = read();
        assert!(before.high_water > before.rss + (40 << 20), "{before:?}");
        assert!(super::ProcessSource::reset_peak(&mut self::source(), std::process::id()));
        let after = read();
        assert!(after.high_water < before.high_water - (40 << 20), "{after:?}");
    }

    #[test]
    fn this_process_is_listed_and_read() {
        let (mut source, mut all) = (source(), Vec::new());
        source.list(&mut all).unwrap();
        assert!(all.iter().any(|listed| listed.pid == std::process::id()));
        let mut handle = source.open(std::process::id());
        let Reading::Memory(memory) = source.read(&mut handle) else { panic!("the process runs") };
        assert!(memory.high_water >= memory.rss && memory.rss > 1 << 20);
        assert!(source.pss_uss(std::process::id()).unwrap().uss > 0);
        assert!(source.cpu_time(std::process::id()).is_some());
        let before = source.open_files(std::process::id()).unwrap();
        let _files: Vec<File> = (0..50).map(|_| File::open("/dev/null").unwrap()).collect();
        assert!(source.open_files(std::process::id()).unwrap() >= before + 50);
    }

    #[test]
    fn a_process_beyond_the_limit_of_open_files_is_still_read() {
        let mut source = ProcFs { max_open: 1, ..source() };
        let mut handles = [source.open(std::process::id()), source.open(std::process::id())];
        assert!(handles[0].keeps_files() && !handles[1].keeps_files());
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
    fn zombies_and_reaped_processes_have_ended() {
        let mut child = Command::new("/bin/sh").args(["-c", "read x"]).spawn().unwrap();
        let mut source = source();
        let mut handle = source.open(child.id());
        child.kill().unwrap();
        while !source.look_up(child.id()).is_some_and(|stat| stat.zombie) {
            std::thread::yield_now();
        }
        assert_eq!(source.read(&mut handle), Reading::Ended);
        child.wait().unwrap();
        assert_eq!(source.read(&mut handle), Reading::Ended);
    }
}
