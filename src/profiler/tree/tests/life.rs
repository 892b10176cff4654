//! Record of a member from its first sample to its last.

use super::*;

#[test]
fn unchanged_command_lines_are_read_rarely() {
    let mut h = harness();
    h.machine.start(11, ROOT, SPAWN, 84);
    h.machine.start(12, ROOT, "SkyPilot:executor:short:12", 170);
    h.samples(2);
    let before = h.machine.queries.borrow()["command_line"];
    h.samples(400);
    let after = h.machine.queries.borrow()["command_line"];
    assert!(after - before <= 2 * 3, "{} readings of three processes in 20 s", after - before);
}

#[test]
fn an_executor_is_starting_until_it_sets_its_title() {
    let mut h = harness();
    h.machine.start(11, ROOT, SPAWN, 84);
    assert_eq!(counts(&h.sample()), [(Server, 1), (StartingExecutor, 1)]);
    h.machine.grow(11, 160);
    h.sample();
    h.machine.title(11, "SkyPilot:executor:short:11");
    h.machine.grow(11, 169);
    assert_eq!(counts(&h.sample()), [(Server, 1), (ShortExecutor, 1)]);
    let record = h.record(11);
    assert_eq!((record.peak, record.peak_while_starting), (mb(169), mb(160)));
    assert_eq!(record.title, "SkyPilot:executor:short:11");
}

#[test]
fn the_queue_is_found_by_its_port_and_not_looked_up_again() {
    let mut h = harness();
    h.machine.start(11, ROOT, SPAWN, 84);
    h.samples(21);
    h.machine.with(11, |process| process.ports.push(50011));
    assert_eq!(counts(&h.samples(21)), [(Server, 1), (Queue, 1)]);
    let lookups = h.machine.queries.borrow()["listening_ports"];
    assert!((2..=4).contains(&lookups), "{lookups} lookups in two seconds");
    h.samples(60);
    assert_eq!(h.machine.queries.borrow()["listening_ports"], lookups);
    assert_eq!(h.record(11).class, Queue);
}

#[test]
fn an_exit_without_a_record_has_the_time_since_the_last_reading() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.machine.start(12, ROOT, "SkyPilot:executor:short:12", 170);
    h.sample();
    h.machine.end(11);
    h.sample_after(STEP * 2);
    assert_eq!(h.record(11).ending, Ending::Unread { unseen: Some(STEP * 2) });
    h.machine.end(12);
    h.sample_after(STEP * 3);
    assert_eq!(h.record(12).ending, Ending::Unread { unseen: Some(STEP * 3) });
    assert_eq!(h.record(12).peak, mb(170));
}

#[test]
fn a_cached_reading_does_not_count_as_a_reading() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    let set_cached = |h: &Harness, cached| h.machine.with(11, |one| one.memory.cached = cached);
    set_cached(&h, true);
    h.samples(3);
    set_cached(&h, false);
    h.machine.grow(11, 180);
    h.sample();
    // 10 MiB in 200 ms.
    assert_eq!(h.record(11).fastest_growth, mb(50));
    set_cached(&h, true);
    h.samples(3);
    h.machine.end(11);
    h.sample();
    assert_eq!(h.record(11).ending, Ending::Unread { unseen: Some(STEP * 4) });
}

#[test]
fn a_zombie_has_exited() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.with(11, |process| process.stat.zombie = true);
    assert_eq!(counts(&h.samples(3)), [(Server, 1)]);
    assert_eq!(h.record(11).ending, Ending::Unread { unseen: Some(STEP) });
}

#[test]
fn growth_is_measured_between_two_readings_of_one_image() {
    let mut h = harness();
    h.machine.start(11, ROOT, SPAWN, 100);
    h.sample();
    assert_eq!(h.record(11).fastest_growth, None, "only one reading");
    h.machine.grow(11, 110);
    h.sample();
    h.machine.grow(11, 111);
    h.sample();
    // 10 MiB in 50 ms.
    assert_eq!(h.record(11).fastest_growth, mb(200));
    h.machine.exec(11, "another program", 20);
    h.machine.grow(11, 90);
    h.sample();
    assert_eq!(h.record(11).fastest_growth, mb(200), "no growth between two images");
}

#[test]
fn growth_that_a_second_reading_of_one_sample_finds_counts() {
    let mut h = harness();
    h.machine.cache_readings();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 100);
    h.samples(2);
    // A spike between two samples, in which no high-water mark is read.
    h.machine.grow(11, 300);
    h.machine.grow(11, 110);
    // The request has changed, so that the mark is read at once.
    h.machine.run(11, Some("a"));
    h.sample();
    // 200 MiB in 50 ms.
    assert_eq!(h.record(11).fastest_growth, mb(4_000));
}

#[test]
fn growth_just_before_the_start_of_a_phase_counts() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 100);
    h.samples(2);
    h.machine.grow(11, 110);
    h.begin_window();
    assert_eq!(h.record(11).fastest_growth, mb(200));
}

#[test]
fn a_snapshot_has_sums_by_class_and_counts_unread_processes() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 160);
    h.machine.start(12, ROOT, "SkyPilot:executor:short:12", 160);
    h.machine.start(13, ROOT, "SkyPilot:executor:short:13", 160);
    h.sample();
    h.machine.end(13);
    let snapshot = h.snapshot(Phase::Load);
    let short = snapshot.classes[&ShortExecutor];
    assert_eq!((short.count, short.threads, snapshot.unread), (2, 2, 1));
    assert_eq!((short.pss, short.uss), (ByteSize::mib(160), ByteSize::mib(80)));
}

#[test]
fn a_snapshot_has_the_cpu_time_of_zombies() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 160);
    h.machine.start(12, ROOT, "SkyPilot:executor:short:12", 170);
    h.sample();
    // The fake machine's processes have a millisecond for each MiB.
    let cpu = Some(Duration::from_millis(100 + 160 + 170));
    assert_eq!(h.snapshot(Phase::Baseline).cpu, cpu);
    h.machine.end_unreaped(12);
    h.sample();
    assert_eq!(h.snapshot(Phase::Load).cpu, cpu);
}

#[test]
fn a_reset_is_no_growth() {
    let mut h = harness();
    h.machine.start(11, ROOT, SPAWN, 170);
    h.sample();
    h.begin_window();
    h.samples(2);
    assert_eq!(h.record(11).fastest_growth, mb(0));
    h.machine.grow(11, 180);
    h.sample();
    assert_eq!(h.record(11).fastest_growth, mb(200));
}

#[test]
fn there_is_no_growth_between_two_images_with_or_without_exec_events() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    h.samples(30);
    h.machine.exec(12, "an unreported program", 400);
    h.samples(2);
    assert_eq!(h.record(12).fastest_growth, mb(0));
    h.machine.enable_events();
    h.machine.exec(11, "a reported program", 190);
    h.samples(2);
    assert_eq!(h.record(11).fastest_growth, mb(0));
}
