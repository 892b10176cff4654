//! A process that is read often.
//!
//! Kept-open files belong to the process itself: once that has ended they answer ESRCH,
//! whoever has the pid then. They are read into a reused buffer.
//!
//! Three files tell of a process's memory: `status` has everything, the mark among it;
//! `stat` the resident size, threads and name for half of that cost; `statm` the resident
//! size alone for a sixth. Where the mark need not be read each time, neither must the
//! rest; and a process whose size has not changed for a while is at rest, of which most
//! readings are left out: nearly all of a server's executors are, at any moment.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use super::text;
use crate::profiler::source::Memory;

/// How many files a handle keeps open.
pub(super) const FILES: usize = 3;

/// Between two readings of the mark, name and threads are read once in so many.
const NAME_EVERY: u32 = 4;

/// A process is at rest after so many readings of the same size, one after the other.
const RESTS_AFTER: u32 = 8;

/// A size that differs by no more is the same one.
const WAVERS: u64 = 256 << 10;

/// Of a process at rest so many readings are left out after each: at the default interval
/// it is read as often as the original tool looked.
const LEFT_OUT: u32 = 3;

/// Places of the two files that tell the size alone.
const STATM: usize = 0;
const STAT: usize = 1;

pub(in crate::profiler) struct Handle {
    pid: u32,
    kept: Option<Kept>,
    /// What was read last with a mark; `None` when the next reading is to have one.
    known: Option<Memory>,
    /// Readings until the next that has a mark.
    wait: u32,
    /// Its size when it last changed, by `statm` and by `stat`: the kernel sums these up
    /// otherwise, and they differ by up to some 100 kB a CPU.
    sizes: [u64; 2],
    /// Readings of the same size, one after the other.
    same: u32,
    /// Readings that are left out before the next.
    left_out: u32,
}

struct Kept {
    status: File,
    stat: File,
    statm: File,
    _counted: Rc<()>,
}

impl Handle {
    /// Keeps the process's files open where `counted` allows for that.
    pub(super) fn open(pid: u32, counted: Option<Rc<()>>) -> Self {
        let keep = |counted| {
            Some(Kept {
                status: open(pid, "status").ok()?,
                stat: open(pid, "stat").ok()?,
                statm: open(pid, "statm").ok()?,
                _counted: counted,
            })
        };
        // Not all marks in one tick.
        Self {
            pid,
            kept: counted.and_then(keep),
            known: None,
            wait: 0,
            sizes: [0; 2],
            same: 0,
            left_out: 0,
        }
    }

    pub(super) fn renew(&mut self) {
        self.known = None;
        self.left_out = 0;
    }

    /// Reads its memory, the mark among it once in `every` times. `None` when it has ended.
    pub(super) fn read(&mut self, buffer: &mut [u8], every: u32) -> Option<Memory> {
        if self.wait > 0
            && let (Some(kept), Some(known)) = (&self.kept, self.known)
        {
            if self.left_out > 0 {
                self.left_out -= 1;
                self.wait -= 1;
                return Some(Memory { swap: None, repeated: true, ..known });
            }
            let by_stat = self.is_at_rest() || self.wait.is_multiple_of(NAME_EVERY);
            let now = if by_stat {
                let length = kept.stat.read_at(buffer, 0).ok()?;
                text::resident(&buffer[..length])?
            } else {
                let length = kept.statm.read_at(buffer, 0).ok()?;
                Memory { rss: text::resident_alone(&buffer[..length])?, swap: None, ..known }
            };
            // Another name may mean another program.
            if now.name == known.name {
                self.wait -= 1;
                self.compare(if by_stat { STAT } else { STATM }, now.rss);
                let known = Memory { high_water: known.high_water.max(now.rss), ..now };
                self.known = Some(known);
                return Some(known);
            }
        }
        let length = match &self.kept {
            Some(kept) => kept.status.read_at(buffer, 0).ok()?,
            None => open(self.pid, "status").ok()?.read_at(buffer, 0).ok()?,
        };
        let memory = text::memory(&buffer[..length])?;
        // The first wait is another for each, so that not all marks fall into one tick.
        self.wait = match self.known {
            None => self.pid % every,
            Some(_) => every - 1,
        };
        self.known = Some(memory);
        Some(memory)
    }

    fn is_at_rest(&self) -> bool {
        self.same >= RESTS_AFTER
    }

    /// Takes note of whether its size has changed, by one of two files.
    fn compare(&mut self, file: usize, size: u64) {
        if self.sizes[file].abs_diff(size) > WAVERS {
            self.sizes[file] = size;
            (self.same, self.left_out) = (0, 0);
            return;
        }
        self.same = self.same.saturating_add(1);
        self.left_out = match self.same {
            0..RESTS_AFTER => 0,
            // Not all readings in one tick.
            RESTS_AFTER => self.pid % (LEFT_OUT + 1),
            _ => LEFT_OUT,
        };
    }

    #[cfg(test)]
    pub(super) fn is_kept(&self) -> bool {
        self.kept.is_some()
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
        handle.read(&mut [0; 8192], every).expect("we are alive")
    }

    #[test]
    fn between_two_readings_of_the_mark_it_is_a_lower_bound_and_then_exact_again() {
        let mut handle = handle();
        let before = read(&mut handle, 1).high_water;
        handle.wait = 2;
        drop(std::hint::black_box(vec![1_u8; 80 << 20]));
        let cheap = read(&mut handle, 3);
        assert!(cheap.high_water >= before && cheap.rss > 1 << 20, "{cheap:?}");
        assert!(cheap.threads >= 1 && cheap.name == read(&mut handle, 3).name);
        let exact = read(&mut handle, 3);
        assert!(exact.high_water > before + (40 << 20), "{before} {exact:?}");
    }

    #[test]
    fn a_renewed_handle_reads_the_mark_at_once() {
        let mut handle = handle();
        let before = read(&mut handle, 1000).high_water;
        handle.wait = 500;
        drop(std::hint::black_box(vec![1_u8; 80 << 20]));
        handle.renew();
        assert!(read(&mut handle, 1000).high_water > before + (40 << 20));
    }

    #[test]
    fn a_process_at_rest_is_read_less_often_until_it_grows() {
        let mut handle = handle();
        let first = read(&mut handle, 1);
        (handle.wait, handle.same, handle.left_out) = (10, RESTS_AFTER, 2);
        let grown = std::hint::black_box(vec![1_u8; 80 << 20]);
        for _ in 0..2 {
            assert_eq!(read(&mut handle, 1), Memory { swap: None, repeated: true, ..first });
        }
        let next = read(&mut handle, 1);
        assert!(next.rss > first.rss + (40 << 20) && !next.repeated, "{}", grown.len());
        assert_eq!((handle.wait, handle.is_at_rest(), handle.left_out), (7, false, 0));
    }

    #[test]
    fn rest_begins_after_several_readings_of_one_size() {
        let mut handle = handle();
        let sizes = [63 << 20, 64 << 20];
        let [by_statm, by_stat] = sizes;
        handle.compare(STATM, by_statm);
        handle.compare(STAT, by_stat);
        for file in [STAT, STATM, STATM, STATM, STAT, STATM, STATM] {
            handle.compare(file, sizes[file]);
            assert_eq!((handle.is_at_rest(), handle.left_out), (false, 0));
        }
        handle.compare(STATM, by_statm);
        assert!(handle.is_at_rest() && handle.left_out <= LEFT_OUT);
        handle.compare(STAT, by_stat + WAVERS);
        assert_eq!(handle.left_out, LEFT_OUT);
        handle.compare(STAT, by_stat + WAVERS + 4096);
        assert!(!handle.is_at_rest());
    }

    #[test]
    fn a_renewed_handle_at_rest_sees_the_end_at_once() {
        let mut command = Command::new("/bin/sh");
        let mut child = command.args(["-c", "read x"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut handle = Handle::open(child.id(), Some(Rc::new(())));
        let before = read(&mut handle, 1000);
        (handle.wait, handle.same, handle.left_out) = (10, RESTS_AFTER, 2);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(read(&mut handle, 1000).rss, before.rss, "what was read a moment ago");
        handle.renew();
        assert_eq!(handle.read(&mut [0; 8192], 1000), None);
    }

    #[test]
    fn all_files_tell_the_same_resident_size() {
        let mut handle = handle();
        let exact = read(&mut handle, 1);
        for wait in [1, NAME_EVERY] {
            handle.wait = wait;
            let cheap = read(&mut handle, 1);
            assert!(exact.rss.abs_diff(cheap.rss) < 4 << 20, "{exact:?} is not {cheap:?}");
            assert_eq!(cheap.name, exact.name);
        }
    }

    #[test]
    fn a_process_that_has_ended_has_no_memory_in_any_file() {
        let mut command = Command::new("/bin/sh");
        let mut child = command.args(["-c", "read x"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut handles = [0, 1, NAME_EVERY].map(|wait| {
            let mut handle = Handle::open(child.id(), Some(Rc::new(())));
            _ = read(&mut handle, 1);
            handle.wait = wait;
            handle
        });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(handles.iter_mut().all(|handle| handle.read(&mut [0; 8192], 1).is_none()));
    }
}
