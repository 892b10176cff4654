//! Which process is the server when its root is a program around it.

use super::*;

const AROUND: &str = "timeout 600 python -m sky.server.server --port=46580";

/// A program of 2 MB in the place of the server, which it has not started yet.
fn watch_around(words: &str) -> Watched {
    let w = watch();
    w.machine.exec(ROOT, words, 2);
    w
}

#[test]
fn a_program_around_the_server_is_none_once_that_runs() {
    for words in [AROUND, "sh run.sh", "python run.py"] {
        let mut w = watch_around(words);
        w.tick();
        w.machine.fork(11, ROOT);
        w.tick();
        w.machine.exec(11, SERVER, 100);
        w.machine.start(12, 11, "SkyPilot:executor:short:12", 170);
        let look = w.tick();
        assert_eq!(counts(&look), [(Server, 1), (ShortExecutor, 1), (Other, 1)], "{words}");
        assert_eq!((w.record(11).class, w.record(11).peak), (Server, mb(100)));
        assert_eq!((w.record(ROOT).class, w.record(ROOT).peak), (Other, mb(2)));
        assert!(look.root_alive);
    }
}

#[test]
fn a_server_that_ran_below_another_program_before_is_the_server_at_the_first_tick() {
    let mut w = watch_around(AROUND);
    w.machine.start(11, ROOT, "sudo run", 3);
    w.machine.start(12, 11, SERVER, 100);
    w.machine.start(13, 12, SPAWN, 166);
    w.machine.with(13, |process| process.ports = vec![46580]);
    assert_eq!(counts(&w.tick()), [(Server, 1), (ProcessClass::ServerWorker, 1), (Other, 2)]);
}

#[test]
fn what_a_server_forks_is_no_server_however_long_it_lasts() {
    let mut w = watch_around(AROUND);
    w.machine.start(11, ROOT, SERVER, 100);
    w.tick();
    w.machine.fork(12, 11);
    assert_eq!(counts(&w.ticks(40)), [(Server, 1), (Other, 2)]);
    assert_eq!(w.record(12).class, Other);
}

#[test]
fn a_server_that_is_started_again_is_the_server_again() {
    let mut w = watch_around(AROUND);
    w.machine.start(11, ROOT, SERVER, 100);
    w.tick();
    w.machine.end(11);
    w.tick();
    w.machine.start(12, ROOT, SERVER, 120);
    assert_eq!(counts(&w.tick()), [(Server, 1), (Other, 1)]);
    assert_eq!(w.record(12).class, Server);
}

#[test]
fn a_server_that_a_request_starts_is_no_part_of_the_server() {
    let mut w = watch();
    w.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    w.machine.start(12, 11, "python -m sky.server.server --port=46581", 90);
    assert_eq!(counts(&w.tick()), [(Server, 1), (ShortExecutor, 1), (Subprocess, 1)]);
}
