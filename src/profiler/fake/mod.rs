//! Fake machine in memory, for the tests of the tree.

mod source;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::source::{ExitRecord, ForkEvent, Memory, Name, ProcessEvents};
use crate::ids::ProcessIdentity;
use crate::process::ProcessStat;
use crate::record::profile::Output;

/// Process of the fake machine.
#[derive(Clone, Debug)]
pub(super) struct FakeProcess {
    pub(super) generation: u64,
    pub(super) stat: ProcessStat,
    pub(super) command_line: Vec<u8>,
    pub(super) has_marker: bool,
    pub(super) has_executed: bool,
    /// Whether the process is exiting: its memory is freed, but it is no zombie yet.
    pub(super) has_freed_memory: bool,
    pub(super) memory: Memory,
    pub(super) ports: Vec<u16>,
    pub(super) output: Output,
}

/// Callback that changes the machine in a test.
type Action = fn(&FakeMachine);

/// Fake machine whose processes a test starts, changes and ends. Clones share their state.
#[derive(Clone, Debug, Default)]
pub(super) struct FakeMachine {
    processes: Rc<RefCell<BTreeMap<u32, FakeProcess>>>,
    generations: Rc<RefCell<u64>>,
    /// Events that were not drained yet; `None` while events are disabled.
    events: Rc<RefCell<Option<ProcessEvents>>>,
    records_exits: Rc<RefCell<bool>>,
    /// Capacity of the queue of events; `None`: unlimited.
    event_limit: Rc<RefCell<Option<usize>>>,
    /// Callback for each reading of PSS.
    on_pss_read: Rc<RefCell<Option<Action>>>,
    denies_resets: Rc<RefCell<bool>>,
    caches_readings: Rc<RefCell<bool>>,
    /// Number of times that the processes were listed.
    pub(super) list_count: Rc<RefCell<usize>>,
    /// Number of calls by the name of the method.
    pub(super) queries: Rc<RefCell<BTreeMap<&'static str, usize>>>,
}

impl FakeMachine {
    /// Enables events of forks, execs and exits.
    pub(super) fn enable_events(&self) {
        *self.events.borrow_mut() = Some(ProcessEvents::default());
        *self.records_exits.borrow_mut() = true;
    }

    /// Disables exit records; forks and execs are still reported.
    pub(super) fn disable_exit_records(&self) {
        *self.records_exits.borrow_mut() = false;
    }

    /// Limits the queue to this number of events; the rest is dropped.
    pub(super) fn limit_events(&self, events: usize) {
        *self.event_limit.borrow_mut() = Some(events);
    }

    /// Runs `action` at each reading of PSS.
    pub(super) fn on_pss_read(&self, action: Action) {
        *self.on_pss_read.borrow_mut() = Some(action);
    }

    /// Makes every reset of a peak fail.
    pub(super) fn deny_resets(&self) {
        *self.denies_resets.borrow_mut() = true;
    }

    /// Makes readings reuse the high-water mark until the handle is invalidated. `procfs` does
    /// so for a second at the level of exit records.
    pub(super) fn cache_readings(&self) {
        *self.caches_readings.borrow_mut() = true;
    }

    /// Runs `action`, and withholds its events.
    pub(super) fn hold_events(&self, action: impl FnOnce(&Self)) -> ProcessEvents {
        action(self);
        self.events.borrow_mut().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Emits events that were withheld.
    pub(super) fn release_events(&self, held: ProcessEvents) {
        self.emit(|events| *events = held);
    }

    /// Drops all queued events, as a queue overrun.
    pub(super) fn drop_events(&self) {
        if let Some(events) = self.events.borrow_mut().as_mut() {
            *events = ProcessEvents { dropped: 1, ..ProcessEvents::default() };
        }
    }

    fn emit(&self, add: impl FnOnce(&mut ProcessEvents)) {
        if let Some(events) = self.events.borrow_mut().as_mut() {
            let queued = events.forks.len() + events.execs.len() + events.exits.len();
            if self.event_limit.borrow().is_some_and(|limit| queued >= limit) {
                events.dropped += 1;
            } else {
                add(events);
            }
        }
    }

    /// Starts a process by fork and exec. Arguments are separated by spaces.
    pub(super) fn start(&self, pid: u32, parent: u32, command_line: &str, megabytes: u64) {
        self.add_process(pid, parent);
        self.exec(pid, command_line, megabytes);
    }

    /// Forks a process: command line and memory are the parent's, and the high-water mark
    /// starts at the parent's resident memory.
    pub(super) fn fork(&self, pid: u32, parent: u32) {
        self.add_process(pid, parent);
        let parent = self.processes.borrow()[&parent].clone();
        self.with(pid, |process| {
            process.command_line = parent.command_line;
            process.memory = Memory { high_water: parent.memory.rss, ..parent.memory };
        });
    }

    fn add_process(&self, pid: u32, parent: u32) {
        *self.generations.borrow_mut() += 1;
        // All start in the same clock tick, as with an immediate reuse of a pid.
        let identity = ProcessIdentity { pid, started: 100 };
        let process = FakeProcess {
            generation: *self.generations.borrow(),
            stat: ProcessStat { identity, parent, zombie: false },
            command_line: Vec::new(),
            has_marker: false,
            has_executed: false,
            has_freed_memory: false,
            memory: Memory {
                rss: 0,
                anonymous: None,
                high_water: 0,
                swap: Some(0),
                threads: 1,
                name: Name::default(),
                high_water_read: true,
                cached: false,
            },
            ports: Vec::new(),
            output: Output::NoRequest,
        };
        self.processes.borrow_mut().insert(pid, process);
        self.emit(|events| events.forks.push(ForkEvent { pid, parent, started: 100 }));
    }

    /// Executes another program: command line and memory are replaced.
    pub(super) fn exec(&self, pid: u32, command_line: &str, megabytes: u64) {
        self.title(pid, command_line);
        self.emit(|events| events.execs.push(pid));
        let bytes = megabytes << 20;
        self.with(pid, |process| {
            process.has_executed = true;
            process.memory.rss = bytes;
            process.memory.high_water = bytes;
        });
    }

    /// Replaces the command line in the same image, as setproctitle does.
    pub(super) fn title(&self, pid: u32, command_line: &str) {
        let name = command_line.split(' ').next().unwrap_or_default();
        // setproctitle pads the rest of the old command line with NULs.
        let padded = command_line.replace(' ', "\0") + "\0\0\0";
        self.with(pid, |process| {
            process.memory.name = Name::of(name.as_bytes());
            process.command_line = padded.into_bytes();
        });
    }

    /// Sets the resident memory, to less or more than before.
    pub(super) fn grow(&self, pid: u32, megabytes: u64) {
        let bytes = megabytes << 20;
        self.with(pid, |process| {
            process.memory.rss = bytes;
            process.memory.high_water = process.memory.high_water.max(bytes);
        });
    }

    /// Makes an executor run a request, or none.
    pub(super) fn run(&self, pid: u32, request: Option<&str>) {
        let output = request.map(|id| Output::Request(id.to_owned()));
        self.with(pid, |process| process.output = output.unwrap_or(Output::NoRequest));
    }

    /// Moves memory between RAM and swap, so that `megabytes` are in swap.
    pub(super) fn swap_out(&self, pid: u32, megabytes: u64) {
        let bytes = megabytes << 20;
        self.with(pid, |process| {
            let held = process.memory.rss + process.memory.swap.unwrap_or(0);
            process.memory.rss = held - bytes;
            process.memory.swap = Some(bytes);
        });
    }

    /// Ends and reaps a process that lived for 30 ms; init adopts its children.
    pub(super) fn end(&self, pid: u32) {
        self.end_after(pid, Duration::from_millis(30));
    }

    /// Ends a process that its parent does not reap.
    pub(super) fn end_unreaped(&self, pid: u32) {
        self.with(pid, |process| process.stat.zombie = true);
        let ended = self.processes.borrow().get(&pid).cloned();
        self.record_exit(ended, Duration::from_millis(30));
    }

    /// Begins the exit of a process: its memory is freed and its exit record is emitted, but
    /// it is no zombie before [`FakeMachine::become_zombie`].
    pub(super) fn begin_exit(&self, pid: u32) {
        self.end_unreaped(pid);
        self.with(pid, |process| (process.stat.zombie, process.has_freed_memory) = (false, true));
    }

    pub(super) fn become_zombie(&self, pid: u32) {
        self.with(pid, |process| process.stat.zombie = true);
    }

    /// Ends and reaps a process that lived for `lived`.
    pub(super) fn end_after(&self, pid: u32, lived: Duration) {
        let ended = self.processes.borrow_mut().remove(&pid);
        // The exit of a zombie is on record; reaping it makes no further record.
        self.record_exit(ended.filter(|process| !process.stat.zombie), lived);
        for process in self.processes.borrow_mut().values_mut() {
            if process.stat.parent == pid {
                process.stat.parent = 1;
            }
        }
    }

    fn record_exit(&self, ended: Option<FakeProcess>, lived: Duration) {
        if let Some(ended) = ended.filter(|_| *self.records_exits.borrow()) {
            self.emit(|events| {
                events.exits.push(ExitRecord {
                    thread: ended.stat.identity.pid,
                    process: Some(ended.stat.identity.pid),
                    parent: ended.stat.parent,
                    high_water: ended.memory.high_water,
                    never_executed: !ended.has_executed,
                    signal: None,
                    started: ended.stat.identity.started,
                    lived,
                    name: ended.memory.name,
                });
            });
        }
    }

    pub(super) fn with(&self, pid: u32, change: impl FnOnce(&mut FakeProcess)) {
        change(self.processes.borrow_mut().get_mut(&pid).expect("the test started it"));
    }

    fn query<T>(
        &self,
        what: &'static str,
        pid: u32,
        answer: impl Fn(&FakeProcess) -> T,
    ) -> Option<T> {
        *self.queries.borrow_mut().entry(what).or_default() += 1;
        self.processes.borrow().get(&pid).map(answer)
    }
}
