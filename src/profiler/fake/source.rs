//! What the machine answers to a profiler.

use std::io;

use super::{FakeMachine, FakeProcess};
use crate::process::ProcessGlance;
use crate::profiler::Marker;
use crate::profiler::source::{Listed, Memory, News, ProcessSource, Reading, Shares};
use crate::record::profile::ProfilerLevel;

/// What is kept of a process between two readings.
#[derive(Debug)]
pub(in crate::profiler) struct FakeHandle {
    pid: u32,
    generation: u64,
    /// What was read last; `None` when the next reading is to have the mark.
    known: Option<Memory>,
}

impl ProcessSource for FakeMachine {
    type Handle = FakeHandle;

    fn level(&self) -> ProfilerLevel {
        if *self.reads_marks_seldom.borrow() {
            ProfilerLevel::ExitRecords
        } else {
            ProfilerLevel::HighWaterMark
        }
    }

    fn tells_births(&self) -> bool {
        self.tells.borrow().is_some()
    }

    fn take_news(&mut self, news: &mut News) {
        if let Some(told) = self.tells.borrow_mut().as_mut() {
            news.births.append(&mut told.births);
            news.execs.append(&mut told.execs);
            news.exits.append(&mut told.exits);
            news.lost += std::mem::take(&mut told.lost);
        }
    }

    fn list(&mut self, found: &mut Vec<Listed>) -> io::Result<()> {
        *self.lists.borrow_mut() += 1;
        let processes = self.processes.borrow();
        found.clear();
        found.extend(
            processes.iter().map(|(&pid, process)| Listed { pid, generation: process.generation }),
        );
        Ok(())
    }

    fn look_up(&mut self, pid: u32) -> Option<ProcessGlance> {
        self.ask("look_up", pid, |process| process.glance)
    }

    fn command_line(&mut self, pid: u32, text: &mut Vec<u8>) -> bool {
        text.clear();
        self.ask("command_line", pid, |process| process.command_line.clone())
            .map(|words| text.extend(words))
            .is_some()
    }

    fn carries(&mut self, pid: u32, _marker: &Marker) -> bool {
        self.ask("carries", pid, |process| process.marked).unwrap_or(false)
    }

    fn listening_ports(&mut self, pid: u32) -> Vec<u16> {
        self.ask("listening_ports", pid, |process| process.ports.clone()).unwrap_or_default()
    }

    fn open(&mut self, pid: u32) -> FakeHandle {
        let generation = self.processes.borrow().get(&pid).map_or(0, |process| process.generation);
        FakeHandle { pid, generation, known: None }
    }

    fn read(&mut self, handle: &mut FakeHandle) -> Reading {
        let processes = self.processes.borrow();
        let process = processes.get(&handle.pid).filter(|process| {
            process.generation == handle.generation && !process.glance.zombie && !process.is_ending
        });
        let Some(FakeProcess { memory, .. }) = process else { return Reading::Ended };
        let memory = match handle.known.filter(|_| *self.reads_marks_seldom.borrow()) {
            None => *memory,
            Some(known) => {
                let high_water = known.high_water.max(memory.rss);
                Memory { rss: memory.rss, high_water, swap: None, ..known }
            }
        };
        handle.known = Some(memory);
        Reading::Memory(memory)
    }

    fn renew(&mut self, handle: &mut FakeHandle) {
        handle.known = None;
    }

    fn reset_mark(&mut self, pid: u32) -> bool {
        if *self.refuses_resets.borrow() {
            return false;
        }
        let mut processes = self.processes.borrow_mut();
        let Some(process) = processes.get_mut(&pid) else { return false };
        process.memory.high_water = process.memory.rss;
        true
    }

    fn shares(&mut self, pid: u32) -> Option<Shares> {
        let shares = self.ask("shares", pid, |process| Shares {
            pss: process.memory.rss / 2,
            uss: process.memory.rss / 4,
        });
        let meanwhile = *self.meanwhile.borrow();
        if let Some(happening) = meanwhile {
            happening(self);
        }
        shares
    }
}

mod tests {
    use super::*;

    fn mark(machine: &mut FakeMachine, handle: &mut FakeHandle) -> u64 {
        match machine.read(handle) {
            Reading::Memory(memory) => memory.high_water >> 20,
            Reading::Ended => panic!("nobody ended it"),
        }
    }

    #[test]
    fn a_mark_stays_until_it_is_lowered_or_another_program_is_executed() {
        let mut machine = FakeMachine::default();
        machine.start(11, 1, "python", 100);
        let mut handle = machine.open(11);
        machine.grow(11, 300);
        machine.grow(11, 120);
        assert_eq!(mark(&mut machine, &mut handle), 300);
        machine.title(11, "another title");
        assert_eq!(mark(&mut machine, &mut handle), 300);
        machine.fork(12, 11);
        let mut copy = machine.open(12);
        assert_eq!(mark(&mut machine, &mut copy), 120, "a copy has a mark of its own");
        assert!(machine.reset_mark(11));
        assert_eq!(mark(&mut machine, &mut handle), 120);
        machine.exec(11, "sleep", 1);
        assert_eq!(mark(&mut machine, &mut handle), 1);
        machine.end(11);
        assert!(!machine.reset_mark(11));
    }

    #[test]
    fn a_mark_that_is_read_seldom_is_a_lower_bound_until_it_is_renewed() {
        let mut machine = FakeMachine::default();
        machine.read_marks_seldom();
        machine.start(11, 1, "python", 100);
        let mut handle = machine.open(11);
        assert_eq!(mark(&mut machine, &mut handle), 100);
        machine.grow(11, 300);
        machine.grow(11, 120);
        assert_eq!(mark(&mut machine, &mut handle), 120);
        machine.renew(&mut handle);
        assert_eq!(mark(&mut machine, &mut handle), 300);
    }
}
