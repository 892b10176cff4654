//! Main process of the server if the root is a wrapper.

use super::*;

const WRAPPED: &str = "timeout 600 python -m sky.server.server --port=46580";

/// Harness whose root is a wrapper of 2 MB that has not started the server yet.
fn harness_with_root(command_line: &str) -> Harness {
    let h = harness();
    h.machine.exec(ROOT, command_line, 2);
    h
}

#[test]
fn a_wrapper_is_no_server_once_the_server_runs() {
    for command_line in [WRAPPED, "sh run.sh", "python run.py"] {
        let mut h = harness_with_root(command_line);
        h.sample();
        h.machine.fork(11, ROOT);
        h.sample();
        h.machine.exec(11, SERVER, 100);
        h.machine.start(12, 11, "SkyPilot:executor:short:12", 170);
        let sample = h.sample();
        assert_eq!(
            counts(&sample),
            [(Server, 1), (ShortExecutor, 1), (Other, 1)],
            "{command_line}"
        );
        assert_eq!((h.record(11).class, h.record(11).peak), (Server, mb(100)));
        assert_eq!((h.record(ROOT).class, h.record(ROOT).peak), (Other, mb(2)));
        assert!(sample.root_alive);
    }
}

#[test]
fn a_wrapped_server_is_found_in_the_first_sample() {
    let mut h = harness_with_root(WRAPPED);
    h.machine.start(11, ROOT, "sudo run", 3);
    h.machine.start(12, 11, SERVER, 100);
    h.machine.start(13, 12, SPAWN, 166);
    h.machine.with(13, |process| process.ports = vec![46580]);
    assert_eq!(counts(&h.sample()), [(Server, 1), (ProcessClass::ServerWorker, 1), (Other, 2)]);
}

#[test]
fn a_fork_of_the_server_is_no_server_however_long_it_lives() {
    let mut h = harness_with_root(WRAPPED);
    h.machine.start(11, ROOT, SERVER, 100);
    h.sample();
    h.machine.fork(12, 11);
    assert_eq!(counts(&h.samples(40)), [(Server, 1), (Other, 2)]);
    assert_eq!(h.record(12).class, Other);
}

#[test]
fn a_restarted_server_is_the_server() {
    let mut h = harness_with_root(WRAPPED);
    h.machine.start(11, ROOT, SERVER, 100);
    h.sample();
    h.machine.end(11);
    h.sample();
    h.machine.start(12, ROOT, SERVER, 120);
    assert_eq!(counts(&h.sample()), [(Server, 1), (Other, 1)]);
    assert_eq!(h.record(12).class, Server);
}

#[test]
fn a_server_started_by_a_request_is_a_subprocess() {
    let mut h = harness();
    h.machine.start(11, ROOT, "SkyPilot:executor:short:11", 170);
    h.machine.start(12, 11, "python -m sky.server.server --port=46581", 90);
    assert_eq!(counts(&h.sample()), [(Server, 1), (ShortExecutor, 1), (Subprocess, 1)]);
}
