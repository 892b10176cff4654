//! Readings of single processes.

use super::*;

#[test]
fn a_reading_has_the_range_of_the_samples_since_the_one_before() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 100);
    h.sample();
    for megabytes in [300, 90, 120] {
        h.machine.grow(11, megabytes);
        h.sample();
    }
    let reading = |h: &mut Harness| {
        let readings = h.tree.process_readings();
        readings.into_iter().find(|reading| reading.pid == 11)
    };
    let first = reading(&mut h).expect("the process was sampled");
    assert_eq!((Some(first.rss), first.low, first.high), (mb(120), mb(90), mb(300)));
    assert_eq!((first.threads, first.open_files), (1, Some(4)));
    assert_eq!(reading(&mut h), None, "no sample since");
    h.sample();
    let second = reading(&mut h).expect("the process was sampled");
    assert_eq!((Some(second.rss), second.low, second.high), (mb(120), None, None));
    h.machine.end(11);
    h.sample();
    assert_eq!(reading(&mut h), None);
}

#[test]
fn anonymous_memory_is_that_of_the_last_reading_that_has_it() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 100);
    h.machine.with(11, |process| process.memory.anonymous = Some(90 << 20));
    let reading = |h: &mut Harness| {
        h.sample();
        h.tree.process_readings().into_iter().find(|reading| reading.pid == 11)
    };
    assert_eq!(reading(&mut h).expect("the process was sampled").anonymous, mb(90));
    // Of the cheap files, none has it.
    h.machine.cache_readings();
    h.machine.grow(11, 120);
    let cheap = reading(&mut h).expect("the process was sampled");
    assert_eq!((Some(cheap.rss), cheap.anonymous), (mb(120), mb(90)));
}

#[test]
fn a_fork_before_its_exec_is_not_read() {
    let mut h = harness();
    h.machine.enable_events();
    h.sample();
    h.machine.fork(12, ROOT);
    h.sample();
    assert!(h.tree.process_readings().iter().all(|reading| reading.pid != 12));
}
