//! Readings of executors: the request that ran when memory grew.

use super::*;
use crate::record::profile::{ExecutorReading, Output, UnreadOutput};

/// Harness with an executor of 100 MB that runs no request, and has been sampled.
fn with_executor() -> Harness {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 100);
    h.sample();
    let first = &readings(&mut h)[..];
    assert!(matches!(first, [reading] if reading.before.is_none()), "{first:?}");
    h
}

fn readings(h: &mut Harness) -> Vec<ExecutorReading> {
    h.tree.take_executor_readings()
}

/// Requests and peaks of readings, in MB.
fn outline(readings: &[ExecutorReading]) -> Vec<(Option<&str>, u64)> {
    let peak = |reading: &ExecutorReading| reading.memory.peak.as_u64() >> 20;
    readings.iter().map(|reading| (reading.output.request(), peak(reading))).collect()
}

fn reads_of_output(h: &Harness) -> usize {
    h.machine.queries.borrow().get("output").copied().unwrap_or(0)
}

#[test]
fn growth_is_noted_with_the_request_that_ran() {
    let mut h = with_executor();
    h.machine.run(11, Some("a"));
    h.machine.grow(11, 140);
    h.sample();
    h.machine.run(11, None);
    h.machine.grow(11, 110);
    h.sample();
    let readings = readings(&mut h);
    assert_eq!(outline(&readings), [(Some("a"), 140), (None, 140)]);
    assert_eq!(readings[0].before.map(|before| before.peak), mb(100));
    assert_eq!(readings[0].since.map(|since| readings[0].at.since(since)), Some(STEP));
    assert!(readings.iter().all(|reading| reading.cpu.is_some()), "the request has changed");
}

#[test]
fn an_idle_executor_is_asked_for_its_request_every_five_seconds() {
    let mut h = with_executor();
    let before = reads_of_output(&h);
    h.samples(300);
    assert_eq!(reads_of_output(&h) - before, 3);
    assert!(readings(&mut h).is_empty());
}

#[test]
fn a_small_change_of_an_idle_executor_shows_that_a_request_has_begun() {
    let mut h = with_executor();
    h.samples(5);
    h.machine.run(11, Some("a"));
    h.machine.grow(11, 99);
    h.sample();
    assert_eq!(outline(&readings(&mut h)), [(Some("a"), 100)]);
}

#[test]
fn a_request_that_changes_no_memory_is_noted() {
    let mut h = with_executor();
    for id in ["a", "b"] {
        h.machine.run(11, Some(id));
        h.samples(100);
        h.machine.run(11, None);
        h.samples(20);
    }
    let noted = [(Some("a"), 100), (None, 100), (Some("b"), 100), (None, 100)];
    assert_eq!(outline(&readings(&mut h)), noted);
}

#[test]
fn a_daemon_is_asked_for_only_when_its_memory_changes() {
    let mut h = with_executor();
    h.machine.run(11, Some("skypilot-status-refresh-daemon"));
    h.machine.grow(11, 120);
    h.sample();
    let before = reads_of_output(&h);
    h.samples(100);
    assert_eq!(reads_of_output(&h), before);
    h.machine.grow(11, 180);
    h.samples(10);
    let daemon = Some("skypilot-status-refresh-daemon");
    assert_eq!(outline(&readings(&mut h)), [(daemon, 120), (daemon, 180)]);
}

#[test]
fn the_end_of_a_request_is_noted_although_its_memory_stays() {
    let mut h = with_executor();
    h.machine.run(11, Some("a"));
    h.machine.grow(11, 140);
    h.samples(5);
    h.machine.run(11, None);
    h.samples(4);
    assert_eq!(outline(&readings(&mut h)), [(Some("a"), 140), (None, 140)]);
}

#[test]
fn a_request_that_changes_no_memory_is_asked_for_its_end_every_400_ms() {
    let mut h = with_executor();
    h.machine.run(11, Some("a"));
    h.machine.grow(11, 140);
    h.sample();
    let before = reads_of_output(&h);
    h.samples(100);
    assert_eq!(reads_of_output(&h) - before, 12);
}

#[test]
fn a_change_below_noise_shows_that_the_next_request_has_begun() {
    let mut h = with_executor();
    h.machine.run(11, Some("a"));
    h.machine.grow(11, 140);
    h.sample();
    h.machine.run(11, Some("b"));
    h.machine.grow(11, 139);
    h.sample();
    // Growth of the second request is not that of the first.
    h.machine.grow(11, 180);
    h.samples(5);
    let noted = [(Some("a"), 140), (Some("b"), 140), (Some("b"), 180)];
    assert_eq!(outline(&readings(&mut h)), noted);
}

#[test]
fn an_executor_that_has_exited_is_told_once_and_other_processes_are_not() {
    let mut h = with_executor();
    h.machine.start(12, ROOT, "ssh host", 10);
    h.sample();
    assert_eq!(h.tree.take_ended_executors(), []);
    h.machine.end(11);
    h.machine.end(12);
    h.samples(2);
    let executor = h.record(11).identity;
    assert_eq!(h.tree.take_ended_executors(), [executor]);
    h.samples(2);
    assert_eq!(h.tree.take_ended_executors(), []);
}

#[test]
fn growth_of_one_request_is_noted_a_few_times_a_second_only() {
    let mut h = with_executor();
    h.machine.run(11, Some("a"));
    for megabytes in 101..=140 {
        h.machine.grow(11, megabytes);
        h.sample();
    }
    let readings = readings(&mut h);
    assert!((4..=10).contains(&readings.len()), "{:?}", outline(&readings));
    assert!(readings.iter().all(|reading| reading.output.request() == Some("a")));
}

#[test]
fn a_spike_between_two_readings_belongs_to_the_request_that_has_ended() {
    let mut h = harness();
    // High-water marks are read rarely, as with exit records.
    h.machine.cache_readings();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 100);
    h.sample();
    h.machine.run(11, Some("a"));
    h.machine.grow(11, 110);
    h.sample();
    h.machine.grow(11, 300);
    h.machine.grow(11, 110);
    h.machine.run(11, Some("b"));
    h.samples(8);
    let readings = readings(&mut h);
    assert_eq!(outline(&readings)[1..], [(Some("a"), 110), (Some("b"), 300)]);
    assert_eq!(readings[2].since, Some(readings[1].at), "both may have run since");
}

#[test]
fn growth_after_a_reset_of_the_mark_is_from_the_size_at_the_reset() {
    let mut h = with_executor();
    h.machine.grow(11, 300);
    h.machine.grow(11, 110);
    h.sample();
    h.begin_window();
    _ = readings(&mut h);
    h.machine.run(11, Some("a"));
    h.machine.grow(11, 140);
    h.sample();
    let readings = readings(&mut h);
    assert_eq!(outline(&readings), [(Some("a"), 140)]);
    assert_eq!(readings[0].before.map(|before| before.peak), mb(110));
}

#[test]
fn a_rise_just_before_a_reset_of_the_mark_is_noted_with_its_request() {
    let mut h = with_executor();
    let daemon = Some("skypilot-status-refresh-daemon");
    h.machine.run(11, daemon);
    h.machine.grow(11, 170);
    h.sample();
    h.machine.grow(11, 300);
    h.machine.grow(11, 180);
    h.samples(2);
    assert_eq!(outline(&readings(&mut h)), [(daemon, 170)], "one reading each 250 ms");
    h.begin_window();
    h.machine.run(11, Some("a"));
    h.sample();
    assert_eq!(outline(&readings(&mut h)), [(daemon, 300), (Some("a"), 180)]);
}

#[test]
fn a_reset_of_the_mark_without_a_rise_notes_nothing() {
    let mut h = with_executor();
    h.machine.run(11, Some("a"));
    h.machine.grow(11, 170);
    h.sample();
    _ = readings(&mut h);
    h.begin_window();
    h.machine.grow(11, 180);
    h.sample();
    assert!(readings(&mut h).is_empty(), "one reading each 250 ms");
}

#[test]
fn an_executor_that_runs_a_request_before_its_title_is_read_is_noted() {
    let mut h = harness();
    h.machine.start(11, ROOT, SPAWN, 84);
    h.samples(2);
    h.machine.grow(11, 120);
    h.sample();
    assert!(readings(&mut h).is_empty(), "it imports");
    h.machine.run(11, Some("a"));
    h.machine.grow(11, 170);
    h.sample();
    assert_eq!(outline(&readings(&mut h)), [(Some("a"), 170)]);
}

#[test]
fn other_processes_are_not_asked_for_requests() {
    let mut h = harness();
    h.machine.start(11, ROOT, "ssh host", 10);
    h.samples(3);
    h.machine.grow(11, 90);
    h.machine.grow(ROOT, 290);
    h.samples(3);
    assert_eq!((reads_of_output(&h), readings(&mut h).len()), (0, 0));
}

#[test]
fn an_output_that_cannot_be_read_is_noted_once_in_ten_seconds() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:long:11", 100);
    let unread = Output::Unread(UnreadOutput::NotPermitted);
    h.machine.with(11, |process| process.output = unread.clone());
    let mut size = 100;
    let mut noted_in = |seconds: u64| {
        for _ in 0..seconds * 20 {
            size += 3;
            h.machine.grow(11, size);
            h.sample();
        }
        readings(&mut h)
    };
    for seconds in [9, 10] {
        let readings = noted_in(seconds);
        assert!(matches!(&readings[..], [reading] if reading.output == unread), "{readings:?}");
    }
}
