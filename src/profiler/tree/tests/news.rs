//! What the kernel tells between two ticks.

use super::*;

fn listening() -> Watched {
    let w = watch();
    w.machine.listen();
    w
}

#[test]
fn a_process_that_lives_between_two_ticks_leaves_its_mark() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    w.tick();
    w.machine.start(12, 11, "ssh node", 5);
    w.machine.grow(12, 70);
    w.machine.end(12);
    w.tick();
    let record = w.record(12);
    assert_eq!((record.class, record.peak, record.ending), (Subprocess, mb(70), Ending::Recorded));
    assert_eq!((record.title.as_str(), record.parent), ("ssh", 11));
}

#[test]
fn without_exit_records_such_a_process_is_counted_as_never_read() {
    let mut w = watch();
    w.machine.listen();
    w.machine.keep_no_exits();
    w.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    w.tick();
    w.machine.start(12, 11, "ssh node", 5);
    w.machine.end(12);
    w.tick();
    let record = w.record(12);
    assert_eq!((record.class, record.peak), (Subprocess, None));
    assert_eq!(record.ending, Ending::Unread { unseen: None });
}

#[test]
fn what_a_process_took_after_its_last_reading_is_in_its_record() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.grow(11, 400);
    w.machine.end_after(11, STEP * 3);
    w.tick();
    assert_eq!((w.record(11).peak, w.record(11).ending), (mb(400), Ending::Recorded));
}

#[test]
fn a_record_may_come_a_tick_after_its_process_was_found_gone() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.grow(11, 300);
    let held = w.machine.hold_news(|machine| machine.end(11));
    w.tick();
    assert_eq!(w.record(11).ending, Ending::Unread { unseen: Some(STEP) });
    w.machine.release_news(held);
    w.tick();
    assert_eq!((w.record(11).peak, w.record(11).ending), (mb(300), Ending::Recorded));
}

#[test]
fn a_whole_family_may_come_and_go_between_two_ticks() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    w.tick();
    w.machine.start(12, 11, "sh -c", 2);
    w.machine.start(13, 12, "rsync", 9);
    w.machine.end(12);
    w.machine.start(14, 13, "rsync --server", 8);
    w.machine.end(14);
    w.machine.end(13);
    w.tick();
    assert_eq!([12, 13, 14].map(|pid| w.record(pid).peak), [mb(2), mb(9), mb(8)]);
    assert!([12, 13, 14].iter().all(|&pid| w.record(pid).class == Subprocess));
}

#[test]
fn a_copy_that_ends_as_one_leaves_no_peak_however_large_its_parent() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.machine.end(12);
    w.tick();
    assert_eq!((w.record(12).peak, w.record(12).ending), (None, Ending::Recorded));
}

#[test]
fn a_fork_that_worked_for_long_leaves_its_mark() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.ticks(30);
    w.machine.grow(12, 250);
    w.machine.end_after(12, STEP * 30);
    w.tick();
    assert_eq!(w.record(12).peak, mb(250));
}

#[test]
fn an_exec_of_the_parents_very_words_is_told_and_ends_the_copy() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.tick();
    assert_eq!(w.record(12).peak, None);
    // Larger than the copy was: no fallen mark gives it away.
    w.machine.exec(12, "SkyPilot:executor:short:11", 190);
    w.tick();
    assert_eq!(w.record(12).peak, mb(190));
}

#[test]
fn no_command_line_is_read_to_find_out_about_an_exec_that_will_be_told() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.tick();
    let before = w.machine.questions.borrow()["command_line"];
    w.ticks(15);
    assert_eq!(w.machine.questions.borrow()["command_line"], before);
}

#[test]
fn a_child_counts_although_its_parent_ended_before_anybody_looked() {
    let mut w = listening();
    w.tick();
    w.machine.start(11, ROOT, "sh -c", 2);
    w.machine.start(12, 11, "python -msky.jobs.controller", 160);
    w.machine.end(11);
    assert_eq!(counts(&w.tick()), [(Server, 1), (JobsController, 1)]);
    assert_eq!(w.record(12).peak, mb(160));
}

#[test]
fn births_and_exits_of_others_are_nobodys() {
    let mut w = listening();
    w.machine.start(20, 1, "python -m sky.server.server --port=46590", 100);
    w.tick();
    w.machine.start(21, 20, "SkyPilot:executor:short:21", 170);
    w.tick();
    w.machine.end(21);
    w.machine.start(22, 1, "init's child", 3);
    w.machine.end(22);
    w.tick();
    let pids: Vec<u32> = w.tree.records().iter().map(|record| record.identity.pid).collect();
    assert_eq!(pids, [ROOT]);
}

#[test]
fn what_the_kernel_could_not_keep_is_counted_and_the_machine_listed() {
    let mut w = listening();
    w.tick();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.machine.lose_news();
    assert_eq!(counts(&w.tick()), [(Server, 1), (ShortExecutor, 1)]);
    assert_eq!(w.tree.dropped_events(), 1);
}

#[test]
fn a_record_of_a_child_whose_birth_was_lost_counts() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    w.tick();
    w.machine.start(12, 11, "ssh node", 5);
    w.machine.lose_news();
    w.machine.end(12);
    w.tick();
    assert_eq!((w.record(12).peak, w.record(12).class), (mb(5), Subprocess));
}

#[test]
fn who_is_told_of_births_lists_the_machine_once_a_second() {
    let mut w = listening();
    w.ticks(20);
    let before = *w.machine.lists.borrow();
    w.ticks(40);
    assert_eq!(*w.machine.lists.borrow() - before, 2);
}

#[test]
fn who_waits_to_be_reaped_is_not_counted_again() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    w.machine.start(12, 11, "ssh node", 5);
    w.tick();
    w.machine.start(13, 11, "sh -c", 2);
    w.machine.die(13);
    w.machine.die(12);
    assert_eq!(w.ticks(50).zombies, 2);
    for pid in [12, 13] {
        assert_eq!(w.records(pid).len(), 1);
        assert_eq!(w.record(pid).ending, Ending::Recorded);
    }
}

#[test]
fn who_gave_up_its_memory_before_it_was_a_zombie_is_not_counted_again() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    w.tick();
    w.machine.with(11, |process| process.is_ending = true);
    assert_eq!(w.tick().zombies, 0);
    w.machine.die(11);
    assert_eq!(w.ticks(50).zombies, 1);
    assert_eq!(w.records(11).len(), 1);
    assert_eq!(w.record(11).ending, Ending::Recorded);
}

#[test]
fn who_had_ended_before_the_profile_began_is_a_zombie_and_no_exit() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    w.machine.die(11);
    w.machine.listen();
    assert_eq!(w.tick().zombies, 1);
    assert!(w.records(11).is_empty());
}

#[test]
fn zombies_are_counted_until_somebody_waits_for_them() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.machine.start(12, ROOT, "SkyPilot:executor:short:12", 170);
    w.tick();
    w.machine.die(11);
    assert_eq!(w.tick().zombies, 1);
    assert_eq!(w.ticks(20).zombies, 1);
    w.machine.end(11);
    assert_eq!(w.tick().zombies, 0);
}

#[test]
fn an_ended_process_whose_pid_another_has_is_no_zombie() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.end(11);
    w.machine.start(11, 1, "somebody else", 1);
    w.machine.with(11, |process| process.glance.identity.started = 200);
    w.machine.with(11, |process| process.glance.zombie = true);
    assert_eq!(w.tick().zombies, 0);
}

/// It is a zombie, and has one record: with the 5 MB that the kernel told of its end.
fn assert_ended_once(w: &mut Watched, pid: u32) {
    assert_eq!(w.ticks(50).zombies, 1);
    assert_eq!(w.records(pid).len(), 1);
    assert_eq!((w.record(pid).peak, w.record(pid).ending), (mb(5), Ending::Recorded));
}

#[test]
fn a_zombie_that_is_known_from_its_record_alone_is_not_counted_again() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    w.tick();
    w.machine.start(12, 11, "ssh node", 5);
    w.machine.lose_news();
    w.machine.die(12);
    assert_ended_once(&mut w, 12);
    assert_eq!(w.record(12).identity.started, 100);
}

#[test]
fn whose_record_comes_before_it_is_a_zombie_is_not_counted_again() {
    let mut w = listening();
    w.machine.start(11, ROOT, "SkyPilot:executor:long:11", 180);
    w.tick();
    w.machine.start(12, 11, "ssh node", 5);
    w.machine.lose_news();
    w.machine.begin_to_die(12);
    w.tick();
    w.machine.become_zombie(12);
    assert_ended_once(&mut w, 12);
}

#[test]
fn who_is_listed_between_its_memory_and_its_end_is_not_counted_again() {
    let mut w = listening();
    while !(w.tree.round + 2).is_multiple_of(20) {
        w.tick();
    }
    w.machine.start(11, ROOT, "ssh node", 5);
    w.tick();
    // The next tick lists the machine, for the first time since it was born.
    w.machine.begin_to_die(11);
    w.ticks(2);
    w.machine.become_zombie(11);
    assert_ended_once(&mut w, 11);
}

#[test]
fn what_happens_during_a_snapshot_is_heard_before_it_is_too_much() {
    let mut w = listening();
    for pid in 11..16 {
        w.machine.start(pid, ROOT, "SkyPilot:executor:long", 180);
    }
    w.tick();
    // Birth, exec and end of one process.
    w.machine.keep_at_most(3);
    w.machine.meanwhile(|machine| {
        let asked = u32::try_from(machine.questions.borrow()["shares"]).unwrap();
        machine.start(100 + asked, ROOT, "brief", 5);
        machine.end(100 + asked);
    });
    let snapshot = w.snapshot(Phase::Load);
    w.tick();
    assert_eq!(w.tree.dropped_events(), 0);
    for pid in 101..=106 {
        assert_eq!((w.record(pid).peak, w.record(pid).ending), (mb(5), Ending::Recorded));
    }
    // Each at its own time; of the last one the next tick heard.
    assert!((101..106).all(|pid| w.record(pid).first_seen < w.record(pid + 1).first_seen));
    assert!(w.record(105).first_seen < snapshot.until);
    assert_eq!((snapshot.unread, snapshot.classes[&LongExecutor].count), (0, 5));
}
