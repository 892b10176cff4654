//! A process that is read often.
//!
//! Kept-open files belong to the process itself: once that has ended they answer ESRCH,
//! whoever has the pid then. They are read into a reused buffer.
//!
//! Three files tell of a process's memory: `status` has everything, the mark among it;
//! `stat` the resident size, threads and name for half of that cost; `statm` the resident
//! size alone for a sixth. Where the mark need not be read each time, neither must the
//! rest.

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

pub(in crate::profiler) struct Handle {
    pid: u32,
    kept: Option<Kept>,
    /// What was read last with a mark; `None` when the next reading is to have one.
    known: Option<Memory>,
    /// Readings until the next that has a mark.
    wait: u32,
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
        Self { pid, kept: counted.and_then(keep), known: None, wait: 0 }
    }

    pub(super) fn renew(&mut self) {
        self.known = None;
    }

    /// Reads its memory, the mark among it once in `every` times. `None` when it has ended.
    pub(super) fn read(&mut self, buffer: &mut [u8], every: u32) -> Option<Memory> {
        if self.wait > 0
            && let (Some(kept), Some(known)) = (&self.kept, self.known)
        {
            let now = if self.wait.is_multiple_of(NAME_EVERY) {
                let length = kept.stat.read_at(buffer, 0).ok()?;
                text::resident(&buffer[..length])?
            } else {
                let length = kept.statm.read_at(buffer, 0).ok()?;
                Memory { rss: text::resident_alone(&buffer[..length])?, swap: None, ..known }
            };
            // Another name may mean another program.
            if now.name == known.name {
                self.wait -= 1;
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
