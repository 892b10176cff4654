//! Processes of which a part is in swap.

use super::*;

#[test]
fn what_is_in_swap_counts_beside_what_is_resident() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 150);
    w.tick();
    // It grew to 400 MB, of which no more than 150 were ever resident.
    w.machine.swap_out(11, 0);
    w.machine.with(11, |process| process.memory.swap = Some(250 << 20));
    w.tick();
    let record = w.record(11);
    assert_eq!((record.peak, record.swapped), (mb(400), mb(250)));
}

#[test]
fn a_mark_from_before_the_swap_is_the_larger_one() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.swap_out(11, 60);
    w.machine.grow(11, 80);
    w.tick();
    let record = w.record(11);
    assert_eq!((record.peak, record.swapped), (mb(170), mb(60)));
}

#[test]
fn what_was_swapped_in_again_is_not_counted_twice() {
    let mut w = watch();
    w.machine.read_marks_seldom();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.swap_out(11, 100);
    w.tree.renew_all();
    w.tick();
    w.machine.swap_out(11, 0);
    w.ticks(3);
    assert_eq!((w.record(11).peak, w.record(11).swapped), (mb(170), mb(100)));
}

#[test]
fn a_process_without_pages_in_swap_has_an_exact_peak() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    assert_eq!(w.record(11).swapped, None);
}

#[test]
fn the_peak_of_a_window_has_what_was_in_swap() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 150);
    w.tick();
    w.begin_window();
    w.machine.with(11, |process| process.memory.swap = Some(50 << 20));
    w.tick();
    let peaks = w.tree.end_window(w.now, crate::record::profile::Window::Phase(Phase::Load));
    assert_eq!(peaks.classes.get(&ShortExecutor).copied(), mb(200));
}
