//! Peaks of processes with memory in swap.

use super::*;

#[test]
fn memory_in_swap_is_added_to_resident_memory() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 150);
    h.sample();
    // The process grew to 400 MB, of which at most 150 were resident at once.
    h.machine.swap_out(11, 0);
    h.machine.with(11, |process| process.memory.swap = Some(250 << 20));
    h.sample();
    let record = h.record(11);
    assert_eq!((record.peak, record.swapped), (mb(400), mb(250)));
}

#[test]
fn a_high_water_mark_from_before_the_swap_is_the_larger_one() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.swap_out(11, 60);
    h.machine.grow(11, 80);
    h.sample();
    let record = h.record(11);
    assert_eq!((record.peak, record.swapped), (mb(170), mb(60)));
}

#[test]
fn memory_that_was_swapped_in_again_is_not_counted_twice() {
    let mut h = harness();
    h.machine.cache_readings();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    h.machine.swap_out(11, 100);
    h.tree.invalidate_all();
    h.sample();
    h.machine.swap_out(11, 0);
    h.samples(3);
    assert_eq!((h.record(11).peak, h.record(11).swapped), (mb(170), mb(100)));
}

#[test]
fn a_process_without_memory_in_swap_has_no_swapped_amount() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.sample();
    assert_eq!(h.record(11).swapped, None);
}

#[test]
fn the_peak_of_a_window_includes_memory_in_swap() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 150);
    h.sample();
    h.begin_window();
    h.machine.with(11, |process| process.memory.swap = Some(50 << 20));
    h.sample();
    let peaks = h.tree.end_window(h.now, crate::record::profile::Window::Phase(Phase::Load));
    assert_eq!(peaks.classes.get(&ShortExecutor).copied(), mb(200));
}
