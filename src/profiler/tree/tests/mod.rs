//! Tests of the tree on a fake machine.

mod events;
mod executors;
mod images;
mod life;
mod readings;
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

/// Fake machine with a server of 100 MB, and its tree.
struct Harness {
    machine: FakeMachine,
    tree: Tree<FakeMachine>,
    now: Timestamp,
}

fn harness() -> Harness {
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
    Harness { tree: Tree::new(machine.clone(), &options), machine, now }
}

impl Harness {
    fn sample(&mut self) -> TreeSample {
        self.sample_after(STEP)
    }

    fn sample_after(&mut self, pause: Duration) -> TreeSample {
        self.now = self.now.plus(pause);
        self.tree.sample(self.now).unwrap()
    }

    fn samples(&mut self, count: usize) -> TreeSample {
        (0..count).map(|_| self.sample()).last().unwrap()
    }

    fn begin_window(&mut self) {
        _ = self.tree.begin_window(self.now, None);
    }

    /// Takes a snapshot; the time advances by a fifth of [`STEP`] at each call of `now`.
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
        self.records(pid).pop().expect("the process is in the tree")
    }
}

fn counts(sample: &TreeSample) -> Vec<(ProcessClass, u32)> {
    sample.classes.iter().map(|(&class, processes)| (class, processes.count)).collect()
}

fn mb(size: u64) -> Option<ByteSize> {
    Some(ByteSize::mib(size))
}
