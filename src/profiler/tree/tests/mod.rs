//! The tree on a machine made of plain values.

mod images;
mod life;
mod news;
mod scope;
mod swap;
mod windows;
mod wrappers;

use std::cell::Cell;

use super::*;
use crate::profiler::Marker;
use crate::profiler::fake::FakeMachine;
use crate::record::profile::Ending;

use ProcessClass::{
    JobsController, LongExecutor, Other, Queue, Server, ShortExecutor, StartingExecutor, Subprocess,
};

const ROOT: u32 = 10;
const STEP: Duration = Duration::from_millis(50);
const SERVER: &str = "python -m sky.server.server --port=46580";
const SPAWN: &str = "python -c from_multiprocessing.spawn_import";

/// A machine with a server of 100 MB, and the tree on it.
struct Watched {
    machine: FakeMachine,
    tree: Tree<FakeMachine>,
    now: Timestamp,
}

fn watch() -> Watched {
    let machine = FakeMachine::default();
    machine.start(1, 0, "init", 1);
    machine.start(ROOT, 1, SERVER, 100);
    let options = ProfilerOptions {
        marker: Some(Marker { name: "RUN".to_owned(), value: "7".to_owned() }),
        queue_port: Some(50011),
        ..ProfilerOptions::new(
            crate::ids::ProcessIdentity { pid: ROOT, started: 100 },
            "samples".into(),
            "processes".into(),
        )
    };
    let now = Timestamp::from_micros(1_000_000);
    Watched { tree: Tree::new(machine.clone(), &options), machine, now }
}

impl Watched {
    fn tick(&mut self) -> Look {
        self.tick_after(STEP)
    }

    fn tick_after(&mut self, pause: Duration) -> Look {
        self.now = self.now.plus(pause);
        self.tree.tick(self.now).unwrap()
    }

    fn ticks(&mut self, count: usize) -> Look {
        (0..count).map(|_| self.tick()).last().unwrap()
    }

    fn begin_window(&mut self) {
        _ = self.tree.begin_window(self.now, None);
    }

    /// Takes a snapshot, for which time passes.
    fn snapshot(&mut self, phase: Phase) -> Snapshot {
        let now = Cell::new(self.now);
        let snapshot = self.tree.snapshot(phase, || now.replace(now.get().plus(STEP / 5)));
        self.now = now.get();
        snapshot
    }

    fn records(&self, pid: u32) -> Vec<ProcessRecord> {
        let of_pid = |record: &ProcessRecord| record.identity.pid == pid;
        self.tree.records().into_iter().filter(of_pid).collect()
    }

    fn record(&self, pid: u32) -> ProcessRecord {
        self.records(pid).pop().expect("it is in the tree")
    }
}

fn counts(look: &Look) -> Vec<(ProcessClass, u32)> {
    look.classes.iter().map(|(&class, tick)| (class, tick.count)).collect()
}

fn mb(size: u64) -> Option<ByteSize> {
    Some(ByteSize::mib(size))
}
