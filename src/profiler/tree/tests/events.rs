//! Fork, exec and exit events between two samples.

use super::*;

fn with_events() -> Harness {
    let h = harness();
    h.machine.enable_events();
    h
}

#[test]
fn a_process_that_lives_between_two_samples_has_a_peak() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    h.sample();
    h.machine.start(12, 11, "ssh node", 5);
    h.machine.grow(12, 70);
    h.machine.end(12);
    h.sample();
    let record = h.record(12);
    assert_eq!((record.class, record.peak, record.ending), (Subprocess, mb(70), Ending::Recorded));
    assert_eq!((record.title.as_str(), record.parent), ("ssh", 11));
}

#[test]
fn without_exit_records_a_process_between_two_samples_is_unread() {
    let mut h = harness();
    h.machine.enable_events();
    h.machine.disable_exit_records();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    h.sample();
    h.machine.start(12, 11, "ssh node", 5);
    h.machine.end(12);
    h.sample();
    let record = h.record(12);
    assert_eq!((record.class, record.peak), (Subprocess, None));
    assert_eq!(record.ending, Ending::Unread { unseen: None });
}

#[test]
fn growth_after_the_last_reading_is_in_the_exit_record() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.grow(11, 400);
    h.machine.end_after(11, STEP * 3);
    h.sample();
    assert_eq!((h.record(11).peak, h.record(11).ending), (mb(400), Ending::Recorded));
}

#[test]
fn an_exit_record_may_arrive_one_sample_after_the_exit_was_noticed() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.grow(11, 300);
    let held = h.machine.hold_events(|machine| machine.end(11));
    h.sample();
    assert_eq!(h.record(11).ending, Ending::Unread { unseen: Some(STEP) });
    h.machine.release_events(held);
    h.sample();
    assert_eq!((h.record(11).peak, h.record(11).ending), (mb(300), Ending::Recorded));
}

#[test]
fn descendants_that_live_between_two_samples_have_peaks() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    h.sample();
    h.machine.start(12, 11, "sh -c", 2);
    h.machine.start(13, 12, "rsync", 9);
    h.machine.end(12);
    h.machine.start(14, 13, "rsync --server", 8);
    h.machine.end(14);
    h.machine.end(13);
    h.sample();
    assert_eq!([12, 13, 14].map(|pid| h.record(pid).peak), [mb(2), mb(9), mb(8)]);
    assert!([12, 13, 14].iter().all(|&pid| h.record(pid).class == Subprocess));
}

#[test]
fn a_fork_that_exits_before_its_exec_has_no_peak() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    h.machine.end(12);
    h.sample();
    assert_eq!((h.record(12).peak, h.record(12).ending), (None, Ending::Recorded));
}

#[test]
fn a_long_lived_fork_without_an_exec_has_a_peak() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    h.samples(30);
    h.machine.grow(12, 250);
    h.machine.end_after(12, STEP * 30);
    h.sample();
    assert_eq!(h.record(12).peak, mb(250));
}

#[test]
fn an_exec_event_with_the_parents_command_line_starts_an_own_image() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    h.sample();
    assert_eq!(h.record(12).peak, None);
    // Larger than the fork: the high-water mark does not drop.
    h.machine.exec(12, "SkyPilot:executor:short:11", 190);
    h.sample();
    assert_eq!(h.record(12).peak, mb(190));
}

#[test]
fn with_exec_events_the_command_line_of_a_fork_is_not_polled() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    h.sample();
    let before = h.machine.queries.borrow()["command_line"];
    h.samples(15);
    assert_eq!(h.machine.queries.borrow()["command_line"], before);
}

#[test]
fn a_child_counts_if_its_parent_exited_before_the_sample() {
    let mut h = with_events();
    h.sample();
    h.machine.start(11, ROOT, "sh -c", 2);
    h.machine.start(12, 11, "python -msky.jobs.controller", 160);
    h.machine.end(11);
    assert_eq!(counts(&h.sample()), [(Server, 1), (JobsController, 1)]);
    assert_eq!(h.record(12).peak, mb(160));
}

#[test]
fn events_of_foreign_processes_are_ignored() {
    let mut h = with_events();
    h.machine.start(20, 1, "python -m sky.server.server --port=46590", 100);
    h.sample();
    h.machine.start(21, 20, "SkyPilot:executor:short:21", 170);
    h.sample();
    h.machine.end(21);
    h.machine.start(22, 1, "init's child", 3);
    h.machine.end(22);
    h.sample();
    let pids: Vec<u32> = h.tree.records().iter().map(|record| record.identity.pid).collect();
    assert_eq!(pids, [ROOT]);
}

#[test]
fn dropped_events_are_counted_and_the_processes_are_listed() {
    let mut h = with_events();
    h.sample();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.machine.drop_events();
    assert_eq!(counts(&h.sample()), [(Server, 1), (ShortExecutor, 1)]);
    assert_eq!(h.tree.dropped_events(), 1);
}

#[test]
fn an_exit_record_counts_if_the_fork_event_was_dropped() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    h.sample();
    h.machine.start(12, 11, "ssh node", 5);
    h.machine.drop_events();
    h.machine.end(12);
    h.sample();
    assert_eq!((h.record(12).peak, h.record(12).class), (mb(5), Subprocess));
}

#[test]
fn with_fork_events_processes_are_listed_once_a_second() {
    let mut h = with_events();
    h.samples(20);
    let before = *h.machine.list_count.borrow();
    h.samples(40);
    assert_eq!(*h.machine.list_count.borrow() - before, 2);
}

#[test]
fn a_zombie_is_not_counted_again() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    h.machine.start(12, 11, "ssh node", 5);
    h.sample();
    h.machine.start(13, 11, "sh -c", 2);
    h.machine.end_unreaped(13);
    h.machine.end_unreaped(12);
    assert_eq!(h.samples(50).zombies, 2);
    for pid in [12, 13] {
        assert_eq!(h.records(pid).len(), 1);
        assert_eq!(h.record(pid).ending, Ending::Recorded);
    }
}

#[test]
fn a_process_that_frees_its_memory_before_it_is_a_zombie_is_not_counted_again() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    h.sample();
    h.machine.with(11, |process| process.has_freed_memory = true);
    assert_eq!(h.sample().zombies, 0);
    h.machine.end_unreaped(11);
    assert_eq!(h.samples(50).zombies, 1);
    assert_eq!(h.records(11).len(), 1);
    assert_eq!(h.record(11).ending, Ending::Recorded);
}

#[test]
fn a_zombie_from_before_the_profile_is_counted_but_has_no_record() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    h.machine.end_unreaped(11);
    h.machine.enable_events();
    assert_eq!(h.sample().zombies, 1);
    assert!(h.records(11).is_empty());
}

#[test]
fn zombies_are_counted_until_they_are_reaped() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.machine.start(12, ROOT, "SkyPilot:executor:short:12", 170);
    h.sample();
    h.machine.end_unreaped(11);
    assert_eq!(h.sample().zombies, 1);
    assert_eq!(h.samples(20).zombies, 1);
    h.machine.end(11);
    assert_eq!(h.sample().zombies, 0);
}

#[test]
fn a_zombie_with_a_reused_pid_is_not_counted() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.end(11);
    h.machine.start(11, 1, "other", 1);
    h.machine.with(11, |process| process.stat.identity.started = 200);
    h.machine.with(11, |process| process.stat.zombie = true);
    assert_eq!(h.sample().zombies, 0);
}

/// Asserts that the process is a zombie with one record, and the 5 MB of its exit record.
fn assert_ended_once(h: &mut Harness, pid: u32) {
    assert_eq!(h.samples(50).zombies, 1);
    assert_eq!(h.records(pid).len(), 1);
    assert_eq!((h.record(pid).peak, h.record(pid).ending), (mb(5), Ending::Recorded));
}

#[test]
fn a_zombie_known_from_its_exit_record_alone_is_not_counted_again() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    h.sample();
    h.machine.start(12, 11, "ssh node", 5);
    h.machine.drop_events();
    h.machine.end_unreaped(12);
    assert_ended_once(&mut h, 12);
    assert_eq!(h.record(12).identity.started, 100);
}

#[test]
fn a_process_whose_exit_record_arrives_before_it_is_a_zombie_is_not_counted_again() {
    let mut h = with_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    h.sample();
    h.machine.start(12, 11, "ssh node", 5);
    h.machine.drop_events();
    h.machine.begin_exit(12);
    h.sample();
    h.machine.become_zombie(12);
    assert_ended_once(&mut h, 12);
}

#[test]
fn a_process_listed_while_it_exits_is_not_counted_again() {
    let mut h = with_events();
    while !(h.tree.round + 2).is_multiple_of(20) {
        h.sample();
    }
    h.machine.start(11, ROOT, "ssh node", 5);
    h.sample();
    // The next sample lists the processes, for the first time since this one was forked.
    h.machine.begin_exit(11);
    h.samples(2);
    h.machine.become_zombie(11);
    assert_ended_once(&mut h, 11);
}

#[test]
fn a_snapshot_drains_events_before_the_queue_overruns() {
    let mut h = with_events();
    for pid in 11..16 {
        h.machine.start(pid, ROOT, "SkyPilot:executor:long", 180);
    }
    h.sample();
    // Fork, exec and exit of one process.
    h.machine.limit_events(3);
    h.machine.on_pss_read(|machine| {
        let readings = u32::try_from(machine.queries.borrow()["pss_uss"]).unwrap();
        machine.start(100 + readings, ROOT, "brief", 5);
        machine.end(100 + readings);
    });
    let snapshot = h.snapshot(Phase::Load);
    h.sample();
    assert_eq!(h.tree.dropped_events(), 0);
    for pid in 101..=106 {
        assert_eq!((h.record(pid).peak, h.record(pid).ending), (mb(5), Ending::Recorded));
    }
    // Each event is applied at its own time; the last one is drained by the next sample.
    assert!((101..106).all(|pid| h.record(pid).first_seen < h.record(pid + 1).first_seen));
    assert!(h.record(105).first_seen < snapshot.until);
    assert_eq!((snapshot.unread, snapshot.classes[&LongExecutor].count), (0, 5));
}
