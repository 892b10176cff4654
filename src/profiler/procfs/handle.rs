//! Repeated readings of one process.
//!
//! Open files in `/proc/PID` belong to the process itself: after its exit, reads fail with
//! ESRCH even if the pid is reused. They are read into a reused buffer.
//!
//! Three files have a process's memory: `status` has everything, including the high-water
//! mark; `stat` has the resident size, threads and name at half the cost; `statm` has the
//! resident size alone at a sixth. Where the high-water mark need not be read each time,
//! the cheaper files suffice in between. A process whose size has not changed for a while
//! is idle, and most of its readings are skipped: at any moment this applies to nearly all
//! executors of a server.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::time::Duration;

use super::output::OutputLink;
use super::text;
use crate::profiler::source::Memory;
use crate::record::profile::Output;

/// Number of files that a handle keeps open.
pub(super) const FILES_PER_HANDLE: usize = 4;

/// Period of readings of `stat` (name and threads) between two of `status`, in readings; the
/// others read `statm`.
const STAT_EVERY: u32 = 4;

/// Number of consecutive readings of the same size after which a process is idle.
const IDLE_AFTER: u32 = 8;

/// Difference up to which two sizes count as the same, in bytes.
const SIZE_TOLERANCE: u64 = 256 << 10;

/// Number of readings of an idle process that are skipped after each one. At the default
/// interval of 50 ms it is then read every 0.2 s, as often as by upstream's tool.
const SKIPPED_READS: u32 = 3;

/// Indexes into [`Handle::sizes`], by the file that was read.
const STATM: usize = 0;
const STAT: usize = 1;

/// Handle of one process, with its open files and its last reading.
pub(in crate::profiler) struct Handle {
    pid: u32,
    files: Option<OpenFiles>,
    /// Last reading; `None` if the next one must read the high-water mark.
    last: Option<Memory>,
    /// Number of readings before the next one of the high-water mark.
    until_peak: u32,
    /// Resident size at its last change, in bytes, by `statm` and by `stat`. The kernel sums
    /// its per-CPU counters differently for each, and the two differ by up to about 100 kB
    /// per CPU.
    sizes: [u64; 2],
    /// Number of consecutive readings of the same size.
    unchanged: u32,
    /// Number of readings to skip before the next.
    skip: u32,
}

/// Open files in `/proc/PID`.
struct OpenFiles {
    status: File,
    stat: File,
    statm: File,
    /// Link to the output, once it was asked for.
    output: Option<OutputLink>,
    _count: Rc<()>,
}

impl Handle {
    /// Handle of `pid`, with open files if `count` is `Some` and they can be opened. `count`
    /// is held for as long as the files are open.
    pub(super) fn open(pid: u32, count: Option<Rc<()>>) -> Self {
        let keep = |count| {
            Some(OpenFiles {
                status: open(pid, "status").ok()?,
                stat: open(pid, "stat").ok()?,
                statm: open(pid, "statm").ok()?,
                output: None,
                _count: count,
            })
        };
        Self {
            pid,
            files: count.and_then(keep),
            last: None,
            until_peak: 0,
            sizes: [0; 2],
            unchanged: 0,
            skip: 0,
        }
    }

    /// Discards the last reading, so that the next one reads `status`.
    pub(super) fn invalidate(&mut self) {
        self.last = None;
        self.skip = 0;
    }

    /// Reads the memory of the process, and its high-water mark once in `every` readings.
    /// `None` after its exit.
    pub(super) fn read(&mut self, buffer: &mut [u8], every: u32) -> Option<Memory> {
        if self.until_peak > 0
            && let (Some(files), Some(last)) = (&self.files, self.last)
        {
            if self.skip > 0 {
                self.skip -= 1;
                self.until_peak -= 1;
                return Some(Memory { cached: true, ..last.without_high_water() });
            }
            // An idle process is read rarely, so each of its readings must show a new name.
            let by_stat = self.is_idle() || self.until_peak.is_multiple_of(STAT_EVERY);
            let now = if by_stat {
                // The kernel writes the file anew for each reading from offset 0.
                let length = files.stat.read_at(buffer, 0).ok()?;
                text::stat_memory(&buffer[..length])?
            } else {
                let length = files.statm.read_at(buffer, 0).ok()?;
                let rss = text::statm_rss(&buffer[..length])?;
                Memory { rss, ..last.without_high_water() }
            };
            // A new name may be a new program: then `status` is read below, since the
            // high-water mark of the last reading is not that of the new image.
            if now.name == last.name {
                self.until_peak -= 1;
                self.track_size(if by_stat { STAT } else { STATM }, now.rss);
                // A lower bound until `status` is read again.
                let high_water = last.high_water.max(now.rss);
                let last = Memory { high_water, ..now };
                self.last = Some(last);
                return Some(last);
            }
        }
        let length = match &self.files {
            Some(files) => files.status.read_at(buffer, 0).ok()?,
            None => open(self.pid, "status").ok()?.read_at(buffer, 0).ok()?,
        };
        let memory = text::status_memory(&buffer[..length])?;
        // Offset by pid, so that the expensive readings are spread over the samples.
        self.until_peak = match self.last {
            // `every` is at least 1, see `ProcFs::new`.
            None => self.pid % every,
            Some(_) => every - 1,
        };
        self.last = Some(memory);
        Some(memory)
    }

    /// Request that the process runs; `None` after its exit.
    pub(super) fn output(&mut self) -> Option<Output> {
        if let Some(OpenFiles { output: Some(link), .. }) = &self.files {
            return link.read();
        }
        let link = match OutputLink::of(self.pid)? {
            Ok(link) => link,
            Err(reason) => return Some(Output::Unread(reason)),
        };
        let output = link.read();
        if let Some(files) = &mut self.files {
            files.output = Some(link);
        }
        output
    }

    /// CPU time of the process and of the exited children that it has waited for; `None` after its
    /// exit.
    pub(super) fn cpu_time(&self, buffer: &mut [u8]) -> Option<Duration> {
        let length = match &self.files {
            Some(files) => files.stat.read_at(buffer, 0).ok()?,
            None => open(self.pid, "stat").ok()?.read_at(buffer, 0).ok()?,
        };
        text::cpu_time(&buffer[..length])
    }

    fn is_idle(&self) -> bool {
        self.unchanged >= IDLE_AFTER
    }

    /// Updates the state of being idle after a reading of `size` from `file`.
    fn track_size(&mut self, file: usize, size: u64) {
        if self.sizes[file].abs_diff(size) > SIZE_TOLERANCE {
            self.sizes[file] = size;
            (self.unchanged, self.skip) = (0, 0);
            return;
        }
        self.unchanged = self.unchanged.saturating_add(1);
        self.skip = match self.unchanged {
            0..IDLE_AFTER => 0,
            // Offset by pid, so that readings of idle processes are spread over the samples.
            IDLE_AFTER => self.pid % (SKIPPED_READS + 1),
            _ => SKIPPED_READS,
        };
    }

    #[cfg(test)]
    pub(super) fn keeps_files(&self) -> bool {
        self.files.is_some()
    }
}

fn open(pid: u32, file: &str) -> io::Result<File> {
    File::open(format!("/proc/{pid}/{file}"))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn handle() -> Handle {
        Handle::open(std::process::id(), Some(Rc::new(())))
    }

    fn read(handle: &mut Handle, every: u32) -> Memory {
        handle.read(&mut [0; 8192], every).expect("the process runs")
    }

    #[test]
    fn the_high_water_mark_is_a_lower_bound_between_its_readings() {
        let mut handle = handle();
        let before = read(&mut handle, 1).high_water;
        handle.until_peak = 2;
        drop(std::hint::black_box(vec![1_u8; 80 << 20]));
        let cheap = read(&mut handle, 3);
        assert!(cheap.high_water >= before && cheap.rss > 1 << 20, "{cheap:?}");
        assert!(cheap.threads >= 1 && cheap.name == read(&mut handle, 3).name);
        let exact = read(&mut handle, 3);
        assert!(exact.high_water > before + (40 << 20), "{before} {exact:?}");
    }

    #[test]
    fn an_invalidated_handle_reads_the_high_water_mark_next() {
        let mut handle = handle();
        let before = read(&mut handle, 1000).high_water;
        handle.until_peak = 500;
        drop(std::hint::black_box(vec![1_u8; 80 << 20]));
        handle.invalidate();
        assert!(read(&mut handle, 1000).high_water > before + (40 << 20));
    }

    #[test]
    fn an_idle_process_is_read_less_often_until_it_grows() {
        let mut handle = handle();
        let first = read(&mut handle, 1);
        (handle.until_peak, handle.unchanged, handle.skip) = (10, IDLE_AFTER, 2);
        let grown = std::hint::black_box(vec![1_u8; 80 << 20]);
        for _ in 0..2 {
            assert_eq!(
                read(&mut handle, 1),
                Memory {
                    anonymous: None,
                    swap: None,
                    high_water_read: false,
                    cached: true,
                    ..first
                }
            );
        }
        let next = read(&mut handle, 1);
        assert!(next.rss > first.rss + (40 << 20) && !next.cached, "{}", grown.len());
        assert_eq!((handle.until_peak, handle.is_idle(), handle.skip), (7, false, 0));
    }

    #[test]
    fn a_process_is_idle_after_several_readings_of_one_size() {
        let mut handle = handle();
        let sizes = [63 << 20, 64 << 20];
        let [by_statm, by_stat] = sizes;
        handle.track_size(STATM, by_statm);
        handle.track_size(STAT, by_stat);
        for file in [STAT, STATM, STATM, STATM, STAT, STATM, STATM] {
            handle.track_size(file, sizes[file]);
            assert_eq!((handle.is_idle(), handle.skip), (false, 0));
        }
        handle.track_size(STATM, by_statm);
        assert!(handle.is_idle() && handle.skip <= SKIPPED_READS);
        handle.track_size(STAT, by_stat + SIZE_TOLERANCE);
        assert_eq!(handle.skip, SKIPPED_READS);
        handle.track_size(STAT, by_stat + SIZE_TOLERANCE + 4096);
        assert!(!handle.is_idle());
    }

    #[test]
    fn an_invalidated_handle_of_an_idle_process_notices_the_exit() {
        let mut command = Command::new("/bin/sh");
        let mut child = command.args(["-c", "read x"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut handle = Handle::open(child.id(), Some(Rc::new(())));
        let before = read(&mut handle, 1000);
        (handle.until_peak, handle.unchanged, handle.skip) = (10, IDLE_AFTER, 2);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(read(&mut handle, 1000).rss, before.rss, "the last reading is repeated");
        handle.invalidate();
        assert_eq!(handle.read(&mut [0; 8192], 1000), None);
    }

    #[test]
    fn all_files_have_the_same_resident_size() {
        let mut handle = handle();
        let exact = read(&mut handle, 1);
        for wait in [1, STAT_EVERY] {
            handle.until_peak = wait;
            let cheap = read(&mut handle, 1);
            assert!(exact.rss.abs_diff(cheap.rss) < 4 << 20, "{exact:?} is not {cheap:?}");
            assert_eq!(cheap.name, exact.name);
        }
    }

    #[test]
    fn an_exited_process_has_no_memory_in_any_file() {
        let mut command = Command::new("/bin/sh");
        let mut child = command.args(["-c", "read x"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut handles = [0, 1, STAT_EVERY].map(|wait| {
            let mut handle = Handle::open(child.id(), Some(Rc::new(())));
            _ = read(&mut handle, 1);
            handle.until_peak = wait;
            handle
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(handles.iter_mut().all(|handle| handle.read(&mut [0; 8192], 1).is_none()));
    }
}
