//! A machine made of plain values, for the tests of the tree.

mod source;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::source::{Birth, ExitRecord, Memory, Name, News};
use crate::ids::ProcessIdentity;
use crate::process::ProcessGlance;

/// What the machine shows of one process.
#[derive(Clone, Debug)]
pub(super) struct FakeProcess {
    pub(super) generation: u64,
    pub(super) glance: ProcessGlance,
    pub(super) command_line: Vec<u8>,
    pub(super) marked: bool,
    pub(super) has_executed: bool,
    /// It has given its memory back already, on its way out.
    pub(super) is_ending: bool,
    pub(super) memory: Memory,
    pub(super) ports: Vec<u16>,
}

/// Something that a test lets happen on the machine.
type Happening = fn(&FakeMachine);

/// A machine whose processes a test moves about; clones are the same machine.
#[derive(Clone, Debug, Default)]
pub(super) struct FakeMachine {
    processes: Rc<RefCell<BTreeMap<u32, FakeProcess>>>,
    generations: Rc<RefCell<u64>>,
    /// What it has still to tell; `None` while nobody listens.
    tells: Rc<RefCell<Option<News>>>,
    keeps_exits: Rc<RefCell<bool>>,
    /// How much it can have to tell at once; `None`: anything.
    keeps: Rc<RefCell<Option<usize>>>,
    /// What happens each time that somebody asks what a process shares.
    meanwhile: Rc<RefCell<Option<Happening>>>,
    refuses_resets: Rc<RefCell<bool>>,
    reads_marks_seldom: Rc<RefCell<bool>>,
    /// How often all its processes were listed.
    pub(super) lists: Rc<RefCell<usize>>,
    /// How often command lines and ports were asked for.
    pub(super) questions: Rc<RefCell<BTreeMap<&'static str, usize>>>,
}

impl FakeMachine {
    /// From here on the machine tells of births, execs and exits.
    pub(super) fn listen(&self) {
        *self.tells.borrow_mut() = Some(News::default());
        *self.keeps_exits.borrow_mut() = true;
    }

    /// The machine tells of births and execs, and keeps no record of exits.
    pub(super) fn keep_no_exits(&self) {
        *self.keeps_exits.borrow_mut() = false;
    }

    /// It keeps so much of what it has to tell, and loses the rest.
    pub(super) fn keep_at_most(&self, births_execs_and_exits: usize) {
        *self.keeps.borrow_mut() = Some(births_execs_and_exits);
    }

    /// Lets something happen each time that somebody asks what a process shares.
    pub(super) fn meanwhile(&self, happening: Happening) {
        *self.meanwhile.borrow_mut() = Some(happening);
    }

    /// Nobody may lower a mark any more.
    pub(super) fn refuse_resets(&self) {
        *self.refuses_resets.borrow_mut() = true;
    }

    /// From here on a mark is read again only after a renewal, as procfs does for a while
    /// where exits bring it.
    pub(super) fn read_marks_seldom(&self) {
        *self.reads_marks_seldom.borrow_mut() = true;
    }

    /// Lets something happen of which the machine does not tell yet.
    pub(super) fn hold_news(&self, happening: impl FnOnce(&Self)) -> News {
        happening(self);
        self.tells.borrow_mut().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Tells now what was held.
    pub(super) fn release_news(&self, held: News) {
        self.tell(|news| *news = held);
    }

    /// It had more to tell than it could keep, and forgot all of it.
    pub(super) fn lose_news(&self) {
        if let Some(news) = self.tells.borrow_mut().as_mut() {
            *news = News { lost: 1, ..News::default() };
        }
    }

    fn tell(&self, add: impl FnOnce(&mut News)) {
        if let Some(news) = self.tells.borrow_mut().as_mut() {
            let kept = news.births.len() + news.execs.len() + news.exits.len();
            if self.keeps.borrow().is_some_and(|most| kept >= most) {
                news.lost += 1;
            } else {
                add(news);
            }
        }
    }

    /// A process begins; its words are separated by spaces here.
    pub(super) fn start(&self, pid: u32, parent: u32, words: &str, megabytes: u64) {
        self.give_birth(pid, parent);
        self.exec(pid, words, megabytes);
    }

    /// A process forks: words and memory are copies. The mark begins with what is copied.
    pub(super) fn fork(&self, pid: u32, parent: u32) {
        self.give_birth(pid, parent);
        let copied = self.processes.borrow()[&parent].clone();
        self.with(pid, |process| {
            process.command_line = copied.command_line;
            process.memory = Memory { high_water: copied.memory.rss, ..copied.memory };
        });
    }

    fn give_birth(&self, pid: u32, parent: u32) {
        *self.generations.borrow_mut() += 1;
        // All at one time: immediate reuse of a pid does look like that.
        let identity = ProcessIdentity { pid, started: 100 };
        let process = FakeProcess {
            generation: *self.generations.borrow(),
            glance: ProcessGlance { identity, parent, zombie: false },
            command_line: Vec::new(),
            marked: false,
            has_executed: false,
            is_ending: false,
            memory: Memory {
                rss: 0,
                high_water: 0,
                swap: Some(0),
                threads: 1,
                name: Name::default(),
                repeated: false,
            },
            ports: Vec::new(),
        };
        self.processes.borrow_mut().insert(pid, process);
        self.tell(|news| news.births.push(Birth { pid, parent, started: 100 }));
    }

    /// A process takes other words and other memory.
    pub(super) fn exec(&self, pid: u32, words: &str, megabytes: u64) {
        self.title(pid, words);
        self.tell(|news| news.execs.push(pid));
        let bytes = megabytes << 20;
        self.with(pid, |process| {
            process.has_executed = true;
            process.memory.rss = bytes;
            process.memory.high_water = bytes;
        });
    }

    /// A process takes other words in the same image.
    pub(super) fn title(&self, pid: u32, words: &str) {
        let name = words.split(' ').next().unwrap_or_default();
        let padded = words.replace(' ', "\0") + "\0\0\0";
        self.with(pid, |process| {
            process.memory.name = Name::of(name.as_bytes());
            process.command_line = padded.into_bytes();
        });
    }

    /// A process comes to hold this much, and perhaps held more before.
    pub(super) fn grow(&self, pid: u32, megabytes: u64) {
        let bytes = megabytes << 20;
        self.with(pid, |process| {
            process.memory.rss = bytes;
            process.memory.high_water = process.memory.high_water.max(bytes);
        });
    }

    /// So much of what a process holds goes to swap; it may take it back with `0`.
    pub(super) fn swap_out(&self, pid: u32, megabytes: u64) {
        let bytes = megabytes << 20;
        self.with(pid, |process| {
            let held = process.memory.rss + process.memory.swap.unwrap_or(0);
            process.memory.rss = held - bytes;
            process.memory.swap = Some(bytes);
        });
    }

    /// A process is gone after a short life; its children are adopted.
    pub(super) fn end(&self, pid: u32) {
        self.end_after(pid, Duration::from_millis(30));
    }

    /// A process ends, and nobody waits for it.
    pub(super) fn die(&self, pid: u32) {
        self.with(pid, |process| process.glance.zombie = true);
        let ended = self.processes.borrow().get(&pid).cloned();
        self.record_exit(ended, Duration::from_millis(30));
    }

    /// A process is on its way out: it has given its memory back, its record is told, and
    /// it is no zombie before [`FakeMachine::become_zombie`].
    pub(super) fn begin_to_die(&self, pid: u32) {
        self.die(pid);
        self.with(pid, |process| (process.glance.zombie, process.is_ending) = (false, true));
    }

    pub(super) fn become_zombie(&self, pid: u32) {
        self.with(pid, |process| process.glance.zombie = true);
    }

    /// A process is gone after a life of this length.
    pub(super) fn end_after(&self, pid: u32, lived: Duration) {
        let ended = self.processes.borrow_mut().remove(&pid);
        self.record_exit(ended.filter(|process| !process.glance.zombie), lived);
        for process in self.processes.borrow_mut().values_mut() {
            if process.glance.parent == pid {
                process.glance.parent = 1;
            }
        }
    }

    fn record_exit(&self, ended: Option<FakeProcess>, lived: Duration) {
        if let Some(ended) = ended.filter(|_| *self.keeps_exits.borrow()) {
            self.tell(|news| {
                news.exits.push(ExitRecord {
                    thread: ended.glance.identity.pid,
                    process: Some(ended.glance.identity.pid),
                    parent: ended.glance.parent,
                    high_water: ended.memory.high_water,
                    never_executed: !ended.has_executed,
                    started: ended.glance.identity.started,
                    lived,
                    name: ended.memory.name,
                });
            });
        }
    }

    pub(super) fn with(&self, pid: u32, change: impl FnOnce(&mut FakeProcess)) {
        change(self.processes.borrow_mut().get_mut(&pid).expect("the test started it"));
    }

    fn ask<T>(
        &self,
        what: &'static str,
        pid: u32,
        answer: impl Fn(&FakeProcess) -> T,
    ) -> Option<T> {
        *self.questions.borrow_mut().entry(what).or_default() += 1;
        self.processes.borrow().get(&pid).map(answer)
    }
}
