//! The tree on a machine made of plain values.

use super::*;
use crate::profiler::Marker;
use crate::profiler::fake::FakeMachine;
use crate::sample::Ending;

use ProcessClass::{Helper, JobsController, Other, Queue, Server, ShortExecutor, Starting};

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

#[test]
fn what_the_server_started_counts_and_the_same_beside_it_does_not() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.machine.start(12, 11, "ssh node", 5);
    w.machine.start(20, 1, SERVER, 100);
    w.machine.start(21, 20, "SkyPilot:executor:short:21", 170);
    assert_eq!(counts(&w.tick()), [(Server, 1), (ShortExecutor, 1), (Helper, 1)]);
    assert!(w.records(21).is_empty());
}

#[test]
fn a_child_that_is_listed_before_its_parent_is_found_at_the_same_tick() {
    let mut w = watch();
    w.tick();
    w.machine.start(9, ROOT, "SkyPilot:executor:short:9", 170);
    w.machine.start(8, 9, "sh -c true", 5);
    w.machine.start(7, 8, "true", 5);
    assert_eq!(counts(&w.tick()), [(Server, 1), (ShortExecutor, 1), (Helper, 2)]);
}

#[test]
fn members_stay_members_when_the_server_dies() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    assert!(w.tick().root_alive);
    w.machine.end(ROOT);
    let look = w.tick();
    assert!(!look.root_alive);
    assert_eq!(counts(&look), [(ShortExecutor, 1)]);
    w.machine.start(12, 11, "ssh node", 5);
    assert_eq!(counts(&w.tick()), [(ShortExecutor, 1), (Helper, 1)]);
    assert_eq!(w.record(ROOT).ending, Ending::Exited);
}

#[test]
fn a_detached_controller_counts_if_it_carries_the_marker() {
    let mut w = watch();
    w.machine.start(30, 1, "python -u -msky.jobs.controller a", 160);
    w.machine.start(31, 1, "python -u -msky.jobs.controller b", 160);
    w.machine.with(30, |process| process.marked = true);
    assert_eq!(counts(&w.tick()), [(Server, 1), (JobsController, 1)]);
    assert_eq!(w.record(30).parent, 1);
}

#[test]
fn an_orphan_is_given_a_second_to_show_the_marker() {
    let mut w = watch();
    w.tick();
    w.machine.start(30, 1, "python -u -msky.jobs.controller a", 160);
    w.machine.start(31, 1, "python -u -msky.jobs.controller b", 160);
    w.ticks(5);
    w.machine.with(30, |process| process.marked = true);
    assert_eq!(counts(&w.tick()), [(Server, 1), (JobsController, 1)]);
    w.ticks(30);
    w.machine.with(31, |process| process.marked = true);
    assert_eq!(counts(&w.tick()), [(Server, 1), (JobsController, 1)]);
}

#[test]
fn a_process_that_is_not_ours_is_looked_up_once() {
    let mut w = watch();
    w.machine.start(20, 1, "other", 1);
    w.machine.start(21, 20, "other", 1);
    w.ticks(40);
    let before = w.machine.questions.borrow().get("look_up").copied();
    w.ticks(40);
    assert_eq!(w.machine.questions.borrow().get("look_up").copied(), before);
}

#[test]
fn a_copy_of_an_executor_never_counts_with_the_executors_memory() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    assert_eq!(counts(&w.ticks(3)), [(Server, 1), (ShortExecutor, 1)]);
    w.machine.exec(12, "ssh node", 5);
    assert_eq!(counts(&w.tick()), [(Server, 1), (ShortExecutor, 1), (Helper, 1)]);
    assert_eq!(w.record(12).peak, mb(5));
    assert_eq!(w.record(12).class, Helper);
}

#[test]
fn a_copy_of_a_worker_that_took_its_title_meanwhile_is_still_a_copy() {
    let mut w = watch();
    w.machine.start(11, ROOT, SPAWN, 170);
    w.tick();
    w.machine.fork(12, 11);
    w.machine.title(11, "SkyPilot:executor:short:11");
    w.tick();
    assert_eq!(w.record(12).peak, None);
}

#[test]
fn a_copy_that_ends_as_one_has_no_peak() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.tick();
    w.machine.end(12);
    w.tick();
    let record = w.record(12);
    assert_eq!((record.peak, record.last_read, record.ending), (None, None, Ending::ExitedUnread));
}

#[test]
fn a_fork_that_stays_counts_after_a_second() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    let look = w.ticks(25);
    assert_eq!(counts(&look), [(Server, 1), (ShortExecutor, 1), (Helper, 1)]);
    assert_eq!(w.record(12).peak, mb(170));
}

#[test]
fn an_exec_that_took_long_takes_the_copy_with_it() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.ticks(40);
    w.machine.exec(12, "ssh node", 5);
    w.tick();
    assert_eq!(w.record(12).peak, mb(5));
}

#[test]
fn an_exec_of_the_parents_very_words_shows_in_the_fallen_mark() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.machine.start(12, 11, "git push", 40);
    w.tick();
    w.machine.fork(13, 12);
    w.tick();
    w.machine.exec(13, "git push", 6);
    w.tick();
    assert_eq!(w.record(13).peak, mb(6));
}

#[test]
fn a_shell_that_became_python_is_as_large_as_its_larger_image() {
    let mut w = watch();
    w.machine.start(30, ROOT, "bash -c exec_python", 4);
    w.tick();
    w.machine.exec(30, "python -u -msky.jobs.controller a", 3);
    w.machine.grow(30, 160);
    w.ticks(21);
    assert_eq!((w.record(30).peak, w.record(30).class), (mb(160), JobsController));
    w.machine.exec(30, "sleep 5", 1);
    w.ticks(21);
    assert_eq!(w.record(30).peak, mb(160));
}

#[test]
fn a_worker_counts_as_starting_until_it_takes_its_title() {
    let mut w = watch();
    w.machine.start(11, ROOT, SPAWN, 84);
    assert_eq!(counts(&w.tick()), [(Server, 1), (Starting, 1)]);
    w.machine.grow(11, 160);
    w.tick();
    w.machine.title(11, "SkyPilot:executor:short:11");
    w.machine.grow(11, 169);
    assert_eq!(counts(&w.tick()), [(Server, 1), (ShortExecutor, 1)]);
    let record = w.record(11);
    assert_eq!((record.peak, record.peak_while_starting), (mb(169), mb(160)));
    assert_eq!(record.title, "SkyPilot:executor:short:11");
}

#[test]
fn a_queue_is_found_by_its_port_and_not_searched_again() {
    let mut w = watch();
    w.machine.start(11, ROOT, SPAWN, 84);
    w.ticks(21);
    w.machine.with(11, |process| process.ports.push(50011));
    assert_eq!(counts(&w.ticks(21)), [(Server, 1), (Queue, 1)]);
    let searches = w.machine.questions.borrow()["listening_ports"];
    assert!((2..=4).contains(&searches), "{searches} searches in two seconds");
    w.ticks(60);
    assert_eq!(w.machine.questions.borrow()["listening_ports"], searches);
    assert_eq!(w.record(11).class, Queue);
}

#[test]
fn a_pid_given_to_another_process_begins_another_record() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.end(11);
    w.machine.start(11, ROOT, "ps aux", 5);
    assert_eq!(counts(&w.tick()), [(Server, 1), (Other, 1)]);
    let records = w.records(11);
    assert_eq!((records[0].peak, records[0].ending), (mb(170), Ending::Exited));
    assert_eq!((records[1].peak, records[1].ending), (mb(5), Ending::Alive));
}

#[test]
fn a_pid_given_to_a_stranger_leaves_the_tree() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.end(11);
    w.machine.start(20, 1, "other", 5);
    w.machine.start(11, 20, "other", 5);
    assert_eq!(counts(&w.ticks(2)), [(Server, 1)]);
    assert_eq!(w.records(11).len(), 1);
}

#[test]
fn a_member_that_the_kernel_renumbered_is_the_same() {
    let mut w = watch();
    w.tick();
    let listed = Listed { pid: ROOT, generation: 999 };
    assert!(w.tree.is_still(listed));
    assert_eq!(w.tree.records().len(), 1);
}

#[test]
fn an_exit_long_after_the_last_reading_was_not_read() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.machine.start(12, ROOT, "SkyPilot:executor:short:12", 170);
    w.tick();
    w.machine.end(11);
    w.tick_after(STEP * 2);
    assert_eq!(w.record(11).ending, Ending::Exited);
    w.machine.end(12);
    w.tick_after(STEP * 3);
    assert_eq!(w.record(12).ending, Ending::ExitedUnread);
    assert_eq!(w.record(12).peak, mb(170));
}

#[test]
fn a_zombie_is_gone() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.with(11, |process| process.glance.zombie = true);
    assert_eq!(counts(&w.ticks(3)), [(Server, 1)]);
    assert_eq!(w.record(11).ending, Ending::Exited);
}

#[test]
fn a_snapshot_sums_by_class_and_says_what_it_could_not_read() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 160);
    w.machine.start(12, ROOT, "SkyPilot:executor:short:12", 160);
    w.machine.start(13, ROOT, "SkyPilot:executor:short:13", 160);
    w.tick();
    w.machine.end(13);
    let snapshot = w.tree.snapshot(w.now, Phase::Load);
    let short = snapshot.classes[&ShortExecutor];
    assert_eq!((short.count, short.threads, snapshot.unread), (2, 2, 1));
    assert_eq!((short.pss, short.uss), (ByteSize::mib(160), ByteSize::mib(80)));
}
