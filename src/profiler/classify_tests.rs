//! The table of what SkyPilot's processes look like.

use super::*;

use ProcessClass::{
    JobsController, LogFollower, LongExecutor, Other, Queue, ServeController, Server, ServerWorker,
    ShortExecutor, StartingExecutor, Subprocess,
};

const PORTS: ServerPorts = ServerPorts { api: Some(46580), queue: Some(50011) };

const SPAWN: &str = "/v/bin/python|-c|from multiprocessing.spawn import spawn_main; \
                     spawn_main(tracker_fd=5, pipe_handle=9)|--multiprocessing-fork";
const SERVER: &str = "/v/bin/python|-m|sky.server.server|--host=127.0.0.1|--port=46580";
const CONTROLLER: &str = "/v/bin/python|-u|-msky.jobs.controller|0b3f";
const SERVICE: &str = "python|-u|-m|sky.serve.service|--service-name|pool";
const TRACKER: &str = "/v/bin/python|-c|from multiprocessing.resource_tracker import main;main(25)";
const FOLLOWER: &str = "bash|-c|python3 -u -c 'import sys\nfrom sky.jobs import utils\n'";

/// Words are separated by `|` in these tables.
fn subject<T>(words: &str, parent: Option<ProcessClass>, use_it: impl Fn(Subject<'_>) -> T) -> T {
    let command_line = words.replace('|', "\0") + "\0";
    use_it(Subject {
        pid: 42,
        command_line: command_line.as_bytes(),
        is_main: false,
        parent,
        is_copy: false,
    })
}

fn class_of(words: &str, parent: Option<ProcessClass>) -> Classified {
    subject(words, parent, |subject| classify(&subject))
}

#[test]
fn each_kind_is_told_by_its_words_and_its_parent() {
    let padded = format!("SkyPilot:executor:short:42{}", "|".repeat(110));
    let table = [
        (padded.as_str(), Some(Server), ShortExecutor),
        ("SkyPilot:executor:short:42", None, ShortExecutor),
        ("SkyPilot:executor:long:42", Some(Server), LongExecutor),
        ("SkyPilot:executor:long-0:42", Some(Other), LongExecutor),
        ("SkyPilot:worker:short", Some(Server), Other),
        ("SkyPilot:worker:long", Some(Server), Other),
        (TRACKER, Some(Server), Other),
        (CONTROLLER, None, JobsController),
        (CONTROLLER, Some(ShortExecutor), JobsController),
        ("python|-m|sky.jobs.controller|7", Some(Subprocess), JobsController),
        (SERVICE, None, ServeController),
        (SERVICE, Some(LongExecutor), ServeController),
        (SPAWN, Some(ServeController), ServeController),
        (SPAWN, Some(JobsController), Subprocess),
        (SPAWN, Some(ShortExecutor), Subprocess),
        (FOLLOWER, Some(Server), LogFollower),
        (FOLLOWER, Some(ServerWorker), LogFollower),
        ("tee|-a|run.log", Some(LogFollower), LogFollower),
        ("/bin/sh|-c|aws --version", Some(LongExecutor), Subprocess),
        ("aws|--version", Some(Subprocess), Subprocess),
        ("ssh|host", Some(JobsController), Subprocess),
        ("uname|-p", Some(StartingExecutor), Subprocess),
        ("ps|aux", Some(Server), Other),
        ("ps|aux", None, Other),
    ];
    for (words, parent, expected) in table {
        assert_eq!(class_of(words, parent), Classified::As(expected), "{words} below {parent:?}");
    }
}

#[test]
fn a_shell_that_mentions_a_controller_is_none() {
    let words = "bash|-c|nohup python -u -msky.jobs.controller 0b3f &";
    assert_eq!(class_of(words, Some(ShortExecutor)), Classified::As(Subprocess));
    assert_eq!(
        class_of("grep|-m|1|sky.jobs.controller", Some(Subprocess)),
        Classified::As(Subprocess)
    );
    let wrapped = "timeout|600|python|-u|-msky.jobs.controller|0b3f";
    assert_eq!(class_of(wrapped, Some(ShortExecutor)), Classified::As(Subprocess));
    assert_eq!(class_of("env|-i|python|-m|sky.serve.service", None), Classified::As(Other));
}

#[test]
fn the_main_process_is_the_one_that_was_named() {
    let is_main = |subject: Subject<'_>| classify(&Subject { is_main: true, ..subject });
    assert_eq!(subject("anything|at|all", None, is_main), Classified::As(Server));
    assert_eq!(class_of(SERVER, None), Classified::As(Other));
}

#[test]
fn a_title_that_names_another_process_is_a_copy_of_that() {
    let words = "SkyPilot:executor:short:41";
    assert_eq!(class_of(words, Some(ShortExecutor)), Classified::As(Subprocess));
    assert_eq!(class_of(words, None), Classified::As(Other));
    // Seen from outside of a container the numbers differ, and nothing is copied.
    assert_eq!(class_of(words, Some(Server)), Classified::As(ShortExecutor));
}

#[test]
fn a_copy_is_never_taken_for_what_its_words_say() {
    let table = [
        (CONTROLLER, Some(JobsController), Subprocess),
        (SERVER, Some(Server), Other),
        (SPAWN, Some(StartingExecutor), Subprocess),
        (FOLLOWER, Some(LogFollower), LogFollower),
    ];
    for (words, parent, expected) in table {
        let copied =
            subject(words, parent, |subject| classify(&Subject { is_copy: true, ..subject }));
        assert_eq!(copied, Classified::Still(expected), "{words}");
    }
}

#[test]
fn what_the_server_spawned_is_starting_until_it_listens() {
    let unknown_queue = ServerPorts { queue: None, ..PORTS };
    assert_eq!(class_of(SPAWN, Some(Server)), Classified::Still(StartingExecutor));
    assert_eq!(by_ports(&[], PORTS), Classified::Still(StartingExecutor));
    assert_eq!(by_ports(&[9999], PORTS), Classified::Still(StartingExecutor));
    assert_eq!(by_ports(&[50011], PORTS), Classified::As(Queue));
    assert_eq!(by_ports(&[46580], PORTS), Classified::As(ServerWorker));
    assert_eq!(by_ports(&[50111], unknown_queue), Classified::As(Queue));
    assert_eq!(by_ports(&[46580], unknown_queue), Classified::As(ServerWorker));
    assert_eq!(by_ports(&[], unknown_queue), Classified::Still(StartingExecutor));
}

#[test]
fn a_process_in_the_midst_of_its_exec_is_looked_at_again() {
    assert_eq!(class_of("", Some(LongExecutor)), Classified::Still(Subprocess));
}

#[test]
fn the_api_port_is_in_the_servers_own_words() {
    let port_in = |words: &str| api_port_in(words.replace('|', "\0").as_bytes());
    assert_eq!(port_in("python|-m|sky.server.server|--port=46780"), Some(46780));
    assert_eq!(port_in("python|-m|sky.server.server|--host=::"), Some(46580));
    assert_eq!(port_in("sleep|60"), None);
    assert_eq!(port_in("sky|--port=http"), None);
}
