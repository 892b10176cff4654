//! Whose memory a reading shows: copies, forks and execs.

use rstest::rstest;

use super::*;

#[test]
fn a_copy_of_an_executor_never_counts_with_the_executors_memory() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    assert_eq!(counts(&w.ticks(3)), [(Server, 1), (ShortExecutor, 1)]);
    w.machine.exec(12, "ssh node", 5);
    assert_eq!(counts(&w.tick()), [(Server, 1), (ShortExecutor, 1), (Subprocess, 1)]);
    assert_eq!(w.record(12).peak, mb(5));
    assert_eq!(w.record(12).class, Subprocess);
}

#[test]
fn a_copy_of_a_worker_that_took_its_title_meanwhile_is_still_a_copy() {
    let mut w = watch();
    w.machine.start(11, ROOT, SPAWN, 170);
    w.tick();
    w.machine.fork(12, 11);
    w.machine.title(11, "SkyPilot:executor:short:11");
    w.tick();
    assert_eq!(w.record(12).peak, None);
}

#[test]
fn a_copy_that_ends_as_one_has_no_peak() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.tick();
    w.machine.end(12);
    w.tick();
    let record = w.record(12);
    assert_eq!(
        (record.peak, record.last_read, record.ending),
        (None, None, Ending::Unread { unseen: None })
    );
}

#[test]
fn a_fork_that_stays_counts_after_a_second() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    let look = w.ticks(25);
    assert_eq!(counts(&look), [(Server, 1), (ShortExecutor, 1), (Subprocess, 1)]);
    assert_eq!(w.record(12).peak, mb(170));
}

#[test]
fn an_exec_that_took_long_takes_the_copy_with_it() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.ticks(40);
    w.machine.exec(12, "ssh node", 5);
    w.tick();
    assert_eq!(w.record(12).peak, mb(5));
}

#[test]
fn an_exec_of_the_parents_very_words_shows_in_the_fallen_mark() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.machine.start(12, 11, "git push", 40);
    w.tick();
    w.machine.fork(13, 12);
    w.tick();
    w.machine.exec(13, "git push", 6);
    w.tick();
    assert_eq!(w.record(13).peak, mb(6));
}

#[test]
fn a_mark_that_wavers_makes_no_process_of_a_copy() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.tick();
    w.machine.with(12, |process| process.memory.high_water -= 316 << 10);
    assert_eq!(counts(&w.tick()), [(Server, 1), (ShortExecutor, 1)]);
    assert_eq!(w.record(12).peak, None);
}

#[test]
fn a_program_that_executes_itself_with_other_words_is_classed_anew() {
    let mut w = watch();
    w.machine.start(30, ROOT, "python launcher.py", 60);
    assert_eq!(counts(&w.tick()), [(Server, 1), (Other, 1)]);
    w.machine.exec(30, "python -u -msky.jobs.controller a", 20);
    assert_eq!(counts(&w.tick()), [(Server, 1), (JobsController, 1)]);
    // No fallen mark shows this one: it takes until the next sample.
    w.machine.exec(30, "python other.py", 30);
    assert_eq!(counts(&w.ticks(400)), [(Server, 1), (Other, 1)]);
}

#[test]
fn a_shell_that_became_python_is_as_large_as_its_larger_image() {
    let mut w = watch();
    w.machine.start(30, ROOT, "bash -c exec_python", 4);
    w.tick();
    w.machine.exec(30, "python -u -msky.jobs.controller a", 3);
    w.machine.grow(30, 160);
    w.ticks(21);
    assert_eq!((w.record(30).peak, w.record(30).class), (mb(160), JobsController));
    w.machine.exec(30, "sleep 5", 1);
    w.ticks(21);
    assert_eq!(w.record(30).peak, mb(160));
}

#[rstest]
#[case::nobody_listens(false)]
#[case::the_kernel_could_not_keep_it(true)]
fn an_untold_exec_leaves_the_copys_mark_behind_where_marks_are_read_seldom(#[case] listens: bool) {
    let mut w = watch();
    if listens {
        w.machine.listen();
    }
    w.machine.read_marks_seldom();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.tick();
    w.machine.fork(12, 11);
    w.ticks(2);
    w.machine.exec(12, "ssh node", 5);
    if listens {
        w.machine.lose_news();
    }
    w.ticks(2);
    assert_eq!((w.record(12).peak, w.record(12).title.as_str()), (mb(5), "ssh"));
}
