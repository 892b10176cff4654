//! Peaks of each window.

use super::*;
use crate::record::profile::Window;

fn peaks(w: &mut Watched, phase: Phase) -> Vec<(ProcessClass, u64)> {
    let peaks = w.tree.end_window(w.now, Window::Phase(phase));
    assert_eq!((peaks.window, peaks.not_reset), (Window::Phase(phase), 0));
    peaks.classes.into_iter().map(|(class, size)| (class, size.as_u64() >> 20)).collect()
}

#[test]
fn a_spike_of_one_phase_is_not_in_the_next_and_is_in_the_whole() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.begin_window();
    w.machine.grow(11, 400);
    w.machine.grow(11, 175);
    w.tick();
    assert_eq!(peaks(&mut w, Phase::Baseline), [(Server, 100), (ShortExecutor, 400)]);
    w.begin_window();
    w.tick();
    w.machine.grow(11, 180);
    assert_eq!(peaks(&mut w, Phase::Load), [(Server, 100), (ShortExecutor, 180)]);
    assert_eq!(w.record(11).peak, mb(400));
}

#[test]
fn a_spike_before_the_first_phase_is_in_no_phase() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.machine.grow(11, 400);
    w.machine.grow(11, 170);
    w.tree.tick(w.now).unwrap();
    w.begin_window();
    assert_eq!(peaks(&mut w, Phase::Load), [(Server, 100), (ShortExecutor, 170)]);
    assert_eq!(w.record(11).peak, mb(400));
}

#[test]
fn who_ended_in_a_phase_counts_there_and_not_later() {
    let mut w = watch();
    w.machine.listen();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.begin_window();
    w.machine.grow(11, 300);
    w.machine.end(11);
    w.tick();
    assert_eq!(peaks(&mut w, Phase::Load), [(Server, 100), (ShortExecutor, 300)]);
    w.begin_window();
    w.tick();
    assert_eq!(peaks(&mut w, Phase::Cooldown), [(Server, 100)]);
}

#[test]
fn a_lowered_mark_is_no_exec() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 400);
    w.machine.grow(11, 170);
    w.tick();
    let before = w.machine.questions.borrow()["command_line"];
    w.begin_window();
    w.ticks(3);
    assert_eq!(w.machine.questions.borrow()["command_line"], before);
}

#[test]
fn a_window_ends_where_the_next_begins() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.begin_window();
    w.machine.grow(11, 300);
    w.machine.grow(11, 180);
    let before = w.tree.begin_window(w.now, Some(Window::Phase(Phase::Baseline)));
    let before = before.expect("one ended");
    assert_eq!(before.window, Window::Phase(Phase::Baseline));
    assert_eq!(before.classes.get(&ShortExecutor).copied(), mb(300));
    assert_eq!(peaks(&mut w, Phase::Load), [(Server, 100), (ShortExecutor, 180)]);
}

#[test]
fn marks_that_cannot_be_lowered_are_counted() {
    let mut w = watch();
    w.tick();
    w.machine.refuse_resets();
    w.begin_window();
    assert_eq!(w.tree.end_window(w.now, Window::Phase(Phase::Load)).not_reset, 1);
}

#[test]
fn who_ended_between_the_last_tick_and_the_end_of_a_phase_counts_in_it() {
    let mut w = watch();
    w.machine.listen();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.begin_window();
    w.tick();
    w.machine.grow(11, 300);
    w.machine.end(11);
    w.machine.start(12, ROOT, "brief", 50);
    w.machine.end(12);
    assert_eq!(peaks(&mut w, Phase::Load), [(Server, 100), (ShortExecutor, 300), (Other, 50)]);
    w.begin_window();
    w.tick();
    assert_eq!(peaks(&mut w, Phase::Cooldown), [(Server, 100)]);
}

#[test]
fn who_ended_just_before_the_first_phase_is_in_no_phase() {
    let mut w = watch();
    w.machine.listen();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.end(11);
    w.begin_window();
    w.tick();
    assert_eq!(peaks(&mut w, Phase::Baseline), [(Server, 100)]);
}

#[test]
fn who_executed_a_program_just_before_the_end_of_a_phase_counts_in_it() {
    let mut w = watch();
    w.machine.listen();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.begin_window();
    w.machine.fork(12, 11);
    w.tick();
    // Larger than the copy was: no fallen mark gives it away.
    w.machine.exec(12, "ssh node", 190);
    let expected = [(Server, 100), (ShortExecutor, 170), (Subprocess, 190)];
    assert_eq!(peaks(&mut w, Phase::Load), expected);
}

#[test]
fn marks_that_are_read_seldom_are_read_at_the_end_of_a_phase_and_at_the_beginning() {
    let mut w = watch();
    w.machine.read_marks_seldom();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    for (spike, phase) in [(400, Phase::Baseline), (300, Phase::Load)] {
        w.begin_window();
        w.tick();
        w.machine.grow(11, spike);
        w.machine.grow(11, 175);
        w.tick();
        assert_eq!(peaks(&mut w, phase), [(Server, 100), (ShortExecutor, spike)]);
    }
}

#[test]
fn a_fork_that_works_without_an_exec_keeps_its_peak_when_marks_are_lowered() {
    let mut w = watch();
    w.machine.listen();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.begin_window();
    for pid in [12, 13] {
        w.machine.fork(pid, 11);
        w.ticks(25);
        w.machine.grow(pid, 250);
        w.tick();
        w.machine.grow(pid, 180);
    }
    w.tick();
    let expected = [(Server, 100), (ShortExecutor, 170), (Subprocess, 250)];
    assert_eq!(peaks(&mut w, Phase::Baseline), expected);
    w.begin_window();
    assert_eq!(w.record(12).peak, mb(250));
    w.tick();
    assert_eq!(w.record(12).peak, mb(250));
    w.machine.end_after(12, STEP * 60);
    w.machine.exec(13, "ssh node", 5);
    w.tick();
    assert_eq!((w.record(12).peak, w.record(12).ending), (mb(250), Ending::Recorded));
    assert_eq!(w.record(13).peak, mb(5), "a copy's memory is its parent's");
    let expected = [(Server, 100), (ShortExecutor, 170), (Subprocess, 180)];
    assert_eq!(peaks(&mut w, Phase::Load), expected);
}

#[test]
fn a_fork_keeps_the_peak_that_it_had_before_anybody_knew_it_to_be_one() {
    let mut w = watch();
    w.machine.listen();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.ticks(10);
    w.machine.grow(12, 400);
    w.machine.grow(12, 180);
    w.begin_window();
    w.ticks(30);
    w.machine.end_after(12, STEP * 41);
    w.tick();
    assert_eq!((w.record(12).peak, w.record(12).ending), (mb(400), Ending::Recorded));
}
