//! Peaks of windows.

use super::*;
use crate::record::profile::Window;

fn peaks(h: &mut Harness, phase: Phase) -> Vec<(ProcessClass, u64)> {
    let peaks = h.tree.end_window(h.now, Window::Phase(phase));
    assert_eq!((peaks.window, peaks.not_reset), (Window::Phase(phase), 0));
    peaks.classes.into_iter().map(|(class, size)| (class, size.as_u64() >> 20)).collect()
}

#[test]
fn a_spike_counts_for_its_phase_and_for_the_whole_profile() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.begin_window();
    h.machine.grow(11, 400);
    h.machine.grow(11, 175);
    h.sample();
    assert_eq!(peaks(&mut h, Phase::Baseline), [(Server, 100), (ShortExecutor, 400)]);
    h.begin_window();
    h.sample();
    h.machine.grow(11, 180);
    assert_eq!(peaks(&mut h, Phase::Load), [(Server, 100), (ShortExecutor, 180)]);
    assert_eq!(h.record(11).peak, mb(400));
}

#[test]
fn a_spike_before_the_first_phase_counts_for_no_phase() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.machine.grow(11, 400);
    h.machine.grow(11, 170);
    h.tree.sample(h.now).unwrap();
    h.begin_window();
    assert_eq!(peaks(&mut h, Phase::Load), [(Server, 100), (ShortExecutor, 170)]);
    assert_eq!(h.record(11).peak, mb(400));
}

#[test]
fn a_process_that_exits_in_a_phase_counts_for_that_phase_only() {
    let mut h = harness();
    h.machine.enable_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.begin_window();
    h.machine.grow(11, 300);
    h.machine.end(11);
    h.sample();
    assert_eq!(peaks(&mut h, Phase::Load), [(Server, 100), (ShortExecutor, 300)]);
    h.begin_window();
    h.sample();
    assert_eq!(peaks(&mut h, Phase::Cooldown), [(Server, 100)]);
}

#[test]
fn a_reset_is_no_exec() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 400);
    h.machine.grow(11, 170);
    h.sample();
    let before = h.machine.queries.borrow()["command_line"];
    h.begin_window();
    h.samples(3);
    assert_eq!(h.machine.queries.borrow()["command_line"], before);
}

#[test]
fn a_window_ends_where_the_next_begins() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.begin_window();
    h.machine.grow(11, 300);
    h.machine.grow(11, 180);
    let before = h.tree.begin_window(h.now, Some(Window::Phase(Phase::Baseline)));
    let before = before.expect("a window ended");
    assert_eq!(before.window, Window::Phase(Phase::Baseline));
    assert_eq!(before.classes.get(&ShortExecutor).copied(), mb(300));
    assert_eq!(peaks(&mut h, Phase::Load), [(Server, 100), (ShortExecutor, 180)]);
}

#[test]
fn peaks_that_cannot_be_reset_are_counted() {
    let mut h = harness();
    h.sample();
    h.machine.deny_resets();
    h.begin_window();
    assert_eq!(h.tree.end_window(h.now, Window::Phase(Phase::Load)).not_reset, 1);
}

#[test]
fn a_process_that_exits_after_the_last_sample_of_a_phase_counts_for_it() {
    let mut h = harness();
    h.machine.enable_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.begin_window();
    h.sample();
    h.machine.grow(11, 300);
    h.machine.end(11);
    h.machine.start(12, ROOT, "brief", 50);
    h.machine.end(12);
    assert_eq!(peaks(&mut h, Phase::Load), [(Server, 100), (ShortExecutor, 300), (Other, 50)]);
    h.begin_window();
    h.sample();
    assert_eq!(peaks(&mut h, Phase::Cooldown), [(Server, 100)]);
}

#[test]
fn a_process_that_exits_just_before_the_first_phase_counts_for_no_phase() {
    let mut h = harness();
    h.machine.enable_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.end(11);
    h.begin_window();
    h.sample();
    assert_eq!(peaks(&mut h, Phase::Baseline), [(Server, 100)]);
}

#[test]
fn an_exec_just_before_the_end_of_a_phase_counts_for_it() {
    let mut h = harness();
    h.machine.enable_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.begin_window();
    h.machine.fork(12, 11);
    h.sample();
    // Larger than the fork: the high-water mark does not drop.
    h.machine.exec(12, "ssh node", 190);
    let expected = [(Server, 100), (ShortExecutor, 170), (Subprocess, 190)];
    assert_eq!(peaks(&mut h, Phase::Load), expected);
}

#[test]
fn cached_high_water_marks_are_read_at_the_start_and_end_of_a_phase() {
    let mut h = harness();
    h.machine.cache_readings();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    for (spike, phase) in [(400, Phase::Baseline), (300, Phase::Load)] {
        h.begin_window();
        h.sample();
        h.machine.grow(11, spike);
        h.machine.grow(11, 175);
        h.sample();
        assert_eq!(peaks(&mut h, phase), [(Server, 100), (ShortExecutor, spike)]);
    }
}

#[test]
fn a_fork_without_an_exec_keeps_its_peak_after_a_reset() {
    let mut h = harness();
    h.machine.enable_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.begin_window();
    for pid in [12, 13] {
        h.machine.fork(pid, 11);
        h.samples(25);
        h.machine.grow(pid, 250);
        h.sample();
        h.machine.grow(pid, 180);
    }
    h.sample();
    let expected = [(Server, 100), (ShortExecutor, 170), (Subprocess, 250)];
    assert_eq!(peaks(&mut h, Phase::Baseline), expected);
    h.begin_window();
    assert_eq!(h.record(12).peak, mb(250));
    h.sample();
    assert_eq!(h.record(12).peak, mb(250));
    h.machine.end_after(12, STEP * 60);
    h.machine.exec(13, "ssh node", 5);
    h.sample();
    assert_eq!((h.record(12).peak, h.record(12).ending), (mb(250), Ending::Recorded));
    assert_eq!(h.record(13).peak, mb(5), "memory of a fork before its exec is its parent's");
    let expected = [(Server, 100), (ShortExecutor, 170), (Subprocess, 180)];
    assert_eq!(peaks(&mut h, Phase::Load), expected);
}

#[test]
fn a_fork_keeps_its_peak_from_before_the_pre_exec_limit() {
    let mut h = harness();
    h.machine.enable_events();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.fork(12, 11);
    h.samples(10);
    h.machine.grow(12, 400);
    h.machine.grow(12, 180);
    h.begin_window();
    h.samples(30);
    h.machine.end_after(12, STEP * 41);
    h.sample();
    assert_eq!((h.record(12).peak, h.record(12).ending), (mb(400), Ending::Recorded));
}
