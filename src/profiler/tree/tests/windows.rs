//! Peaks of each window.

use super::*;
use crate::sample::Window;

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
    w.tree.begin_window(w.now);
    w.machine.grow(11, 400);
    w.machine.grow(11, 175);
    w.tick();
    assert_eq!(peaks(&mut w, Phase::Baseline), [(Server, 100), (ShortExecutor, 400)]);
    w.tree.begin_window(w.now);
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
    w.tree.begin_window(w.now);
    assert_eq!(peaks(&mut w, Phase::Load), [(Server, 100), (ShortExecutor, 170)]);
    assert_eq!(w.record(11).peak, mb(400));
}

#[test]
fn who_ended_in_a_phase_counts_there_and_not_later() {
    let mut w = watch();
    w.machine.listen();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.tree.begin_window(w.now);
    w.machine.grow(11, 300);
    w.machine.end(11);
    w.tick();
    assert_eq!(peaks(&mut w, Phase::Load), [(Server, 100), (ShortExecutor, 300)]);
    w.tree.begin_window(w.now);
    w.tick();
    assert_eq!(peaks(&mut w, Phase::Drain), [(Server, 100)]);
}

#[test]
fn a_lowered_mark_is_no_exec() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 400);
    w.machine.grow(11, 170);
    w.tick();
    let before = w.machine.questions.borrow()["command_line"];
    w.tree.begin_window(w.now);
    w.ticks(3);
    assert_eq!(w.machine.questions.borrow()["command_line"], before);
}

#[test]
fn marks_that_cannot_be_lowered_are_counted() {
    let mut w = watch();
    w.tick();
    w.machine.refuse_resets();
    w.tree.begin_window(w.now);
    assert_eq!(w.tree.end_window(w.now, Window::Phase(Phase::Load)).not_reset, 1);
}
