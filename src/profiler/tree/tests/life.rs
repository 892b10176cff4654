//! What is written down of a member from its first tick to its last.

use super::*;

#[test]
fn command_lines_are_not_read_without_need() {
    let mut w = watch();
    w.machine.start(11, ROOT, SPAWN, 84);
    w.machine.start(12, ROOT, "SkyPilot:executor:short:12", 170);
    w.ticks(2);
    let before = w.machine.questions.borrow()["command_line"];
    w.ticks(400);
    let after = w.machine.questions.borrow()["command_line"];
    assert!(after - before <= 2 * 3, "{} looks at three processes in 20 s", after - before);
}

#[test]
fn a_worker_counts_as_starting_until_it_takes_its_title() {
    let mut w = watch();
    w.machine.start(11, ROOT, SPAWN, 84);
    assert_eq!(counts(&w.tick()), [(Server, 1), (StartingExecutor, 1)]);
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
fn an_exit_without_a_record_says_how_long_nobody_looked() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.machine.start(12, ROOT, "SkyPilot:executor:short:12", 170);
    w.tick();
    w.machine.end(11);
    w.tick_after(STEP * 2);
    assert_eq!(w.record(11).ending, Ending::Unread { unseen: Some(STEP * 2) });
    w.machine.end(12);
    w.tick_after(STEP * 3);
    assert_eq!(w.record(12).ending, Ending::Unread { unseen: Some(STEP * 3) });
    assert_eq!(w.record(12).peak, mb(170));
}

#[test]
fn what_is_not_read_anew_is_no_look_at_a_process() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    let at_rest = |w: &Watched, repeated| w.machine.with(11, |one| one.memory.repeated = repeated);
    at_rest(&w, true);
    w.ticks(3);
    at_rest(&w, false);
    w.machine.grow(11, 180);
    w.tick();
    // 10 MiB in 200 ms.
    assert_eq!(w.record(11).fastest_growth, mb(50));
    at_rest(&w, true);
    w.ticks(3);
    w.machine.end(11);
    w.tick();
    assert_eq!(w.record(11).ending, Ending::Unread { unseen: Some(STEP * 4) });
}

#[test]
fn a_zombie_is_gone() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.with(11, |process| process.glance.zombie = true);
    assert_eq!(counts(&w.ticks(3)), [(Server, 1)]);
    assert_eq!(w.record(11).ending, Ending::Unread { unseen: Some(STEP) });
}

#[test]
fn the_fastest_growth_is_between_two_readings_of_one_image() {
    let mut w = watch();
    w.machine.start(11, ROOT, SPAWN, 100);
    w.tick();
    assert_eq!(w.record(11).fastest_growth, None, "it was read once");
    w.machine.grow(11, 110);
    w.tick();
    w.machine.grow(11, 111);
    w.tick();
    // 10 MiB in 50 ms.
    assert_eq!(w.record(11).fastest_growth, mb(200));
    w.machine.exec(11, "another program", 20);
    w.machine.grow(11, 90);
    w.tick();
    assert_eq!(w.record(11).fastest_growth, mb(200), "a new image did not grow out of the old");
}

#[test]
fn a_snapshot_sums_by_class_and_says_what_it_could_not_read() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 160);
    w.machine.start(12, ROOT, "SkyPilot:executor:short:12", 160);
    w.machine.start(13, ROOT, "SkyPilot:executor:short:13", 160);
    w.tick();
    w.machine.end(13);
    let snapshot = w.snapshot(Phase::Load);
    let short = snapshot.classes[&ShortExecutor];
    assert_eq!((short.count, short.threads, snapshot.unread), (2, 2, 1));
    assert_eq!((short.pss, short.uss), (ByteSize::mib(160), ByteSize::mib(80)));
}

#[test]
fn a_lowered_mark_is_not_grown_from() {
    let mut w = watch();
    w.machine.start(11, ROOT, SPAWN, 170);
    w.tick();
    w.begin_window();
    w.ticks(2);
    assert_eq!(w.record(11).fastest_growth, mb(0));
    w.machine.grow(11, 180);
    w.tick();
    assert_eq!(w.record(11).fastest_growth, mb(200));
}

#[test]
fn a_new_image_is_not_grown_from_the_old_one_however_the_exec_is_known() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.ticks(30);
    w.machine.exec(12, "an untold program", 400);
    w.ticks(2);
    assert_eq!(w.record(12).fastest_growth, mb(0));
    w.machine.listen();
    w.machine.exec(11, "a told program", 190);
    w.ticks(2);
    assert_eq!(w.record(11).fastest_growth, mb(0));
}
