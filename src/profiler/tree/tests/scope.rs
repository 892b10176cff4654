//! Which processes are in the tree.

use super::*;

#[test]
fn what_the_server_started_counts_and_the_same_beside_it_does_not() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.machine.start(12, 11, "ssh node", 5);
    w.machine.start(20, 1, SERVER, 100);
    w.machine.start(21, 20, "SkyPilot:executor:short:21", 170);
    assert_eq!(counts(&w.tick()), [(Server, 1), (ShortExecutor, 1), (Subprocess, 1)]);
    assert!(w.records(21).is_empty());
}

#[test]
fn a_child_that_is_listed_before_its_parent_is_found_at_the_same_tick() {
    let mut w = watch();
    w.tick();
    w.machine.start(9, ROOT, "SkyPilot:executor:short:9", 170);
    w.machine.start(8, 9, "sh -c true", 5);
    w.machine.start(7, 8, "true", 5);
    assert_eq!(counts(&w.tick()), [(Server, 1), (ShortExecutor, 1), (Subprocess, 2)]);
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
    assert_eq!(counts(&w.tick()), [(ShortExecutor, 1), (Subprocess, 1)]);
    assert_ne!(w.record(ROOT).ending, Ending::Alive);
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
fn a_pid_given_to_another_process_begins_another_record() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.end(11);
    w.machine.start(11, ROOT, "ps aux", 5);
    assert_eq!(counts(&w.tick()), [(Server, 1), (Other, 1)]);
    let records = w.records(11);
    assert_eq!(
        (records[0].peak, records[0].ending),
        (mb(170), Ending::Unread { unseen: Some(STEP) })
    );
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
