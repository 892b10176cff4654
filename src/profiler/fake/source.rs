//! Implementation of [`ProcessSource`] by the fake machine.

use std::io;
use std::time::Duration;

use super::{FakeMachine, FakeProcess};
use crate::process::ProcessStat;
use crate::profiler::Marker;
use crate::profiler::source::{Listed, Memory, ProcessEvents, ProcessSource, PssUss, Reading};
use crate::record::profile::{Output, ProfilerLevel};

/// Handle of a fake process.
#[derive(Debug)]
pub(in crate::profiler) struct FakeHandle {
    pid: u32,
    generation: u64,
    /// Last reading; `None` if the next one must read the high-water mark.
    last: Option<Memory>,
}

impl ProcessSource for FakeMachine {
    type Handle = FakeHandle;

    fn level(&self) -> ProfilerLevel {
        if *self.caches_readings.borrow() {
            ProfilerLevel::ExitRecords
        } else {
            ProfilerLevel::HighWaterMark
        }
    }

    fn has_fork_events(&self) -> bool {
        self.events.borrow().is_some()
    }

    fn drain_events(&mut self, events: &mut ProcessEvents) {
        if let Some(queued) = self.events.borrow_mut().as_mut() {
            events.forks.append(&mut queued.forks);
            events.execs.append(&mut queued.execs);
            events.exits.append(&mut queued.exits);
            events.dropped += std::mem::take(&mut queued.dropped);
        }
    }

    fn list(&mut self, found: &mut Vec<Listed>) -> io::Result<()> {
        *self.list_count.borrow_mut() += 1;
        let processes = self.processes.borrow();
        found.clear();
        found.extend(
            processes.iter().map(|(&pid, process)| Listed { pid, generation: process.generation }),
        );
        Ok(())
    }

    fn look_up(&mut self, pid: u32) -> Option<ProcessStat> {
        self.query("look_up", pid, |process| process.stat)
    }

    fn command_line(&mut self, pid: u32, text: &mut Vec<u8>) -> bool {
        text.clear();
        self.query("command_line", pid, |process| process.command_line.clone())
            .map(|command_line| text.extend(command_line))
            .is_some()
    }

    fn has_marker(&mut self, pid: u32, _marker: &Marker) -> bool {
        self.query("has_marker", pid, |process| process.has_marker).unwrap_or(false)
    }

    fn listening_ports(&mut self, pid: u32) -> Vec<u16> {
        self.query("listening_ports", pid, |process| process.ports.clone()).unwrap_or_default()
    }

    fn open(&mut self, pid: u32) -> FakeHandle {
        // Generations start at 1, so the handle of a missing process reads none.
        let generation = self.processes.borrow().get(&pid).map_or(0, |process| process.generation);
        FakeHandle { pid, generation, last: None }
    }

    fn read(&mut self, handle: &mut FakeHandle) -> Reading {
        let processes = self.processes.borrow();
        let process = processes.get(&handle.pid).filter(|process| {
            process.generation == handle.generation
                && !process.stat.zombie
                && !process.has_freed_memory
        });
        let Some(FakeProcess { memory, .. }) = process else { return Reading::Ended };
        let memory = match handle.last.filter(|_| *self.caches_readings.borrow()) {
            None => *memory,
            Some(last) => {
                let high_water = last.high_water.max(memory.rss);
                Memory { rss: memory.rss, high_water, ..last.without_high_water() }
            }
        };
        handle.last = Some(memory);
        Reading::Memory(memory)
    }

    fn invalidate(&mut self, handle: &mut FakeHandle) {
        handle.last = None;
    }

    fn reset_peak(&mut self, pid: u32) -> bool {
        if *self.denies_resets.borrow() {
            return false;
        }
        let mut processes = self.processes.borrow_mut();
        let Some(process) = processes.get_mut(&pid) else { return false };
        process.memory.high_water = process.memory.rss;
        true
    }

    fn output(&mut self, handle: &mut FakeHandle) -> Option<Output> {
        self.query("output", handle.pid, |process| process.output.clone())
    }

    fn pss_uss(&mut self, pid: u32) -> Option<PssUss> {
        let pss_uss = self.query("pss_uss", pid, |process| PssUss {
            pss: process.memory.rss / 2,
            uss: process.memory.rss / 4,
        });
        let on_pss_read = *self.on_pss_read.borrow();
        if let Some(action) = on_pss_read {
            action(self);
        }
        pss_uss
    }

    fn open_files(&mut self, pid: u32) -> Option<u32> {
        self.query("open_files", pid, |process| process.memory.threads + 3)
    }

    fn cpu_time(&mut self, pid: u32) -> Option<Duration> {
        self.query("cpu_time", pid, |process| Duration::from_millis(process.memory.rss >> 20))
    }

    fn cpu_time_by(&mut self, handle: &mut FakeHandle) -> Option<Duration> {
        self.cpu_time(handle.pid)
    }
}

mod tests {
    use super::*;

    fn high_water(machine: &mut FakeMachine, handle: &mut FakeHandle) -> u64 {
        match machine.read(handle) {
            Reading::Memory(memory) => memory.high_water >> 20,
            Reading::Ended => panic!("the process runs"),
        }
    }

    #[test]
    fn a_high_water_mark_stays_until_a_reset_or_an_exec() {
        let mut machine = FakeMachine::default();
        machine.start(11, 1, "python", 100);
        let mut handle = machine.open(11);
        machine.grow(11, 300);
        machine.grow(11, 120);
        assert_eq!(high_water(&mut machine, &mut handle), 300);
        machine.title(11, "another title");
        assert_eq!(high_water(&mut machine, &mut handle), 300);
        machine.fork(12, 11);
        let mut fork = machine.open(12);
        assert_eq!(high_water(&mut machine, &mut fork), 120, "a fork has its own high-water mark");
        assert!(machine.reset_peak(11));
        assert_eq!(high_water(&mut machine, &mut handle), 120);
        machine.exec(11, "sleep", 1);
        assert_eq!(high_water(&mut machine, &mut handle), 1);
        machine.end(11);
        assert!(!machine.reset_peak(11));
    }

    #[test]
    fn a_cached_high_water_mark_is_a_lower_bound_until_invalidated() {
        let mut machine = FakeMachine::default();
        machine.cache_readings();
        machine.start(11, 1, "python", 100);
        let mut handle = machine.open(11);
        assert_eq!(high_water(&mut machine, &mut handle), 100);
        machine.grow(11, 300);
        machine.grow(11, 120);
        assert_eq!(high_water(&mut machine, &mut handle), 120);
        machine.invalidate(&mut handle);
        assert_eq!(high_water(&mut machine, &mut handle), 300);
    }
}
