//! Membership of processes in the tree.

use super::*;

#[test]
fn descendants_of_the_server_count_and_those_of_another_server_do_not() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.machine.start(12, 11, "ssh node", 5);
    h.machine.start(20, 1, SERVER, 100);
    h.machine.start(21, 20, "SkyPilot:executor:short:21", 170);
    assert_eq!(counts(&h.sample()), [(Server, 1), (ShortExecutor, 1), (Subprocess, 1)]);
    assert!(h.records(21).is_empty());
}

#[test]
fn a_child_that_is_listed_before_its_parent_is_found_in_the_same_sample() {
    let mut h = harness();
    h.sample();
    h.machine.start(9, ROOT, "SkyPilot:executor:short:9", 170);
    h.machine.start(8, 9, "sh -c true", 5);
    h.machine.start(7, 8, "true", 5);
    assert_eq!(counts(&h.sample()), [(Server, 1), (ShortExecutor, 1), (Subprocess, 2)]);
}

#[test]
fn members_stay_members_after_the_server_exits() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    assert!(h.sample().root_alive);
    h.machine.end(ROOT);
    let sample = h.sample();
    assert!(!sample.root_alive);
    assert_eq!(counts(&sample), [(ShortExecutor, 1)]);
    h.machine.start(12, 11, "ssh node", 5);
    assert_eq!(counts(&h.sample()), [(ShortExecutor, 1), (Subprocess, 1)]);
    assert_ne!(h.record(ROOT).ending, Ending::Alive);
}

#[test]
fn a_detached_controller_counts_if_it_has_the_marker() {
    let mut h = harness();
    h.machine.start(30, 1, "python -u -msky.jobs.controller a", 160);
    h.machine.start(31, 1, "python -u -msky.jobs.controller b", 160);
    h.machine.with(30, |process| process.has_marker = true);
    assert_eq!(counts(&h.sample()), [(Server, 1), (JobsController, 1)]);
    assert_eq!(h.record(30).parent, 1);
}

#[test]
fn an_orphan_is_undecided_for_a_second() {
    let mut h = harness();
    h.sample();
    h.machine.start(30, 1, "python -u -msky.jobs.controller a", 160);
    h.machine.start(31, 1, "python -u -msky.jobs.controller b", 160);
    h.samples(5);
    h.machine.with(30, |process| process.has_marker = true);
    assert_eq!(counts(&h.sample()), [(Server, 1), (JobsController, 1)]);
    h.samples(30);
    h.machine.with(31, |process| process.has_marker = true);
    assert_eq!(counts(&h.sample()), [(Server, 1), (JobsController, 1)]);
}

#[test]
fn a_foreign_process_is_looked_up_once() {
    let mut h = harness();
    h.machine.start(20, 1, "other", 1);
    h.machine.start(21, 20, "other", 1);
    h.samples(40);
    let before = h.machine.queries.borrow().get("look_up").copied();
    h.samples(40);
    assert_eq!(h.machine.queries.borrow().get("look_up").copied(), before);
}

#[test]
fn a_pid_reused_in_the_tree_has_two_records() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.end(11);
    h.machine.start(11, ROOT, "ps aux", 5);
    assert_eq!(counts(&h.sample()), [(Server, 1), (Other, 1)]);
    let records = h.records(11);
    assert_eq!(
        (records[0].peak, records[0].ending),
        (mb(170), Ending::Unread { unseen: Some(STEP) })
    );
    assert_eq!((records[1].peak, records[1].ending), (mb(5), Ending::Alive));
}

#[test]
fn a_pid_reused_by_a_foreign_process_leaves_the_tree() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.end(11);
    h.machine.start(20, 1, "other", 5);
    h.machine.start(11, 20, "other", 5);
    assert_eq!(counts(&h.samples(2)), [(Server, 1)]);
    assert_eq!(h.records(11).len(), 1);
}

#[test]
fn a_member_with_a_new_generation_stays_the_same() {
    let mut h = harness();
    h.sample();
    let listed = Listed { pid: ROOT, generation: 999 };
    assert!(h.tree.is_same_member(listed));
    assert_eq!(h.tree.records().len(), 1);
}
