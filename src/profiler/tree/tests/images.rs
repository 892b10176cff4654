//! Attribution of memory to images: forks before and after their exec.

use rstest::rstest;

use super::*;

#[test]
fn a_fork_before_its_exec_does_not_count_with_its_parents_memory() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    assert_eq!(counts(&h.samples(3)), [(Server, 1), (ShortExecutor, 1)]);
    h.machine.exec(12, "ssh node", 5);
    assert_eq!(counts(&h.sample()), [(Server, 1), (ShortExecutor, 1), (Subprocess, 1)]);
    assert_eq!(h.record(12).peak, mb(5));
    assert_eq!(h.record(12).class, Subprocess);
}

#[test]
fn a_fork_of_a_process_that_has_set_its_title_since_is_still_a_fork() {
    let mut h = harness();
    h.machine.start(11, ROOT, SPAWN, 170);
    h.sample();
    h.machine.fork(12, 11);
    h.machine.title(11, "SkyPilot:executor:short:11");
    h.sample();
    assert_eq!(h.record(12).peak, None);
}

#[test]
fn a_fork_that_exits_before_its_exec_has_no_peak() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    h.sample();
    h.machine.end(12);
    h.sample();
    let record = h.record(12);
    assert_eq!(
        (record.peak, record.last_read, record.ending),
        (None, None, Ending::Unread { unseen: None })
    );
}

#[test]
fn a_fork_without_an_exec_counts_after_a_second() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    let sample = h.samples(25);
    assert_eq!(counts(&sample), [(Server, 1), (ShortExecutor, 1), (Subprocess, 1)]);
    assert_eq!(h.record(12).peak, mb(170));
}

#[test]
fn a_late_exec_discards_the_peak_as_a_fork() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    h.samples(40);
    h.machine.exec(12, "ssh node", 5);
    h.sample();
    assert_eq!(h.record(12).peak, mb(5));
}

#[test]
fn an_exec_with_the_parents_command_line_shows_as_a_drop_of_the_high_water_mark() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.machine.start(12, 11, "git push", 40);
    h.sample();
    h.machine.fork(13, 12);
    h.sample();
    h.machine.exec(13, "git push", 6);
    h.sample();
    assert_eq!(h.record(13).peak, mb(6));
}

#[test]
fn a_small_drop_of_the_high_water_mark_is_no_exec() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    h.sample();
    h.machine.with(12, |process| process.memory.high_water -= 316 << 10);
    assert_eq!(counts(&h.sample()), [(Server, 1), (ShortExecutor, 1)]);
    assert_eq!(h.record(12).peak, None);
}

#[test]
fn a_program_that_executes_itself_with_other_arguments_is_reclassified() {
    let mut h = harness();
    h.machine.start(30, ROOT, "python launcher.py", 60);
    assert_eq!(counts(&h.sample()), [(Server, 1), (Other, 1)]);
    h.machine.exec(30, "python -u -msky.jobs.controller a", 20);
    assert_eq!(counts(&h.sample()), [(Server, 1), (JobsController, 1)]);
    // The high-water mark does not drop, so the exec shows at the next periodic reading of
    // the command line.
    h.machine.exec(30, "python other.py", 30);
    assert_eq!(counts(&h.samples(400)), [(Server, 1), (Other, 1)]);
}

#[test]
fn the_peak_is_that_of_the_largest_image() {
    let mut h = harness();
    h.machine.start(30, ROOT, "bash -c exec_python", 4);
    h.sample();
    h.machine.exec(30, "python -u -msky.jobs.controller a", 3);
    h.machine.grow(30, 160);
    h.samples(21);
    assert_eq!((h.record(30).peak, h.record(30).class), (mb(160), JobsController));
    h.machine.exec(30, "sleep 5", 1);
    h.samples(21);
    assert_eq!(h.record(30).peak, mb(160));
}

#[rstest]
#[case::events_disabled(false)]
#[case::event_dropped(true)]
fn an_unreported_exec_discards_a_cached_high_water_mark(#[case] has_events: bool) {
    let mut h = harness();
    if has_events {
        h.machine.enable_events();
    }
    h.machine.cache_readings();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    h.samples(2);
    h.machine.exec(12, "ssh node", 5);
    if has_events {
        h.machine.drop_events();
    }
    h.samples(2);
    assert_eq!((h.record(12).peak, h.record(12).title.as_str()), (mb(5), "ssh"));
}
