//! Table of the command lines of SkyPilot's processes.

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

/// Process with a command line whose arguments are separated by `|`, as in these tables.
fn subject<T>(
    command_line: &str,
    parent: Option<ProcessClass>,
    use_it: impl Fn(Subject<'_>) -> T,
) -> T {
    let command_line = command_line.replace('|', "\0") + "\0";
    use_it(Subject {
        pid: 42,
        command_line: command_line.as_bytes(),
        is_main: false,
        parent,
        is_fork: false,
    })
}

fn class_of(command_line: &str, parent: Option<ProcessClass>) -> Classified {
    subject(command_line, parent, |subject| classify(&subject))
}

#[test]
fn each_class_has_its_command_lines_and_parents() {
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
    for (command_line, parent, expected) in table {
        assert_eq!(
            class_of(command_line, parent),
            Classified::Final(expected),
            "{command_line} with the parent {parent:?}"
        );
    }
}

#[test]
fn a_shell_that_mentions_a_controller_is_no_controller() {
    let command_line = "bash|-c|nohup python -u -msky.jobs.controller 0b3f &";
    assert_eq!(class_of(command_line, Some(ShortExecutor)), Classified::Final(Subprocess));
    assert_eq!(
        class_of("grep|-m|1|sky.jobs.controller", Some(Subprocess)),
        Classified::Final(Subprocess)
    );
    let wrapped = "timeout|600|python|-u|-msky.jobs.controller|0b3f";
    assert_eq!(class_of(wrapped, Some(ShortExecutor)), Classified::Final(Subprocess));
    assert_eq!(class_of("env|-i|python|-m|sky.serve.service", None), Classified::Final(Other));
}

#[test]
fn the_main_process_is_the_server_whatever_its_command_line() {
    let is_main = |subject: Subject<'_>| classify(&Subject { is_main: true, ..subject });
    assert_eq!(subject("anything|at|all", None, is_main), Classified::Final(Server));
    assert_eq!(class_of(SERVER, None), Classified::Final(Other));
}

#[test]
fn a_title_with_the_pid_of_another_process_is_inherited() {
    let command_line = "SkyPilot:executor:short:41";
    assert_eq!(class_of(command_line, Some(ShortExecutor)), Classified::Final(Subprocess));
    assert_eq!(class_of(command_line, None), Classified::Final(Other));
    // From outside of a container the pids differ; the server has no title to inherit.
    assert_eq!(class_of(command_line, Some(Server)), Classified::Final(ShortExecutor));
}

#[test]
fn a_fork_is_not_classified_by_its_parents_command_line() {
    let table = [
        (CONTROLLER, Some(JobsController), Subprocess),
        (SERVER, Some(Server), Other),
        (SPAWN, Some(StartingExecutor), Subprocess),
        (FOLLOWER, Some(LogFollower), LogFollower),
    ];
    for (command_line, parent, expected) in table {
        let class = subject(command_line, parent, |subject| {
            classify(&Subject { is_fork: true, ..subject })
        });
        assert_eq!(class, Classified::Provisional(expected), "{command_line}");
    }
}

#[test]
fn a_spawned_process_is_a_starting_executor_until_it_listens() {
    let unknown_queue = ServerPorts { queue: None, ..PORTS };
    assert_eq!(class_of(SPAWN, Some(Server)), Classified::Provisional(StartingExecutor));
    assert_eq!(by_ports(&[], PORTS), Classified::Provisional(StartingExecutor));
    assert_eq!(by_ports(&[9999], PORTS), Classified::Provisional(StartingExecutor));
    assert_eq!(by_ports(&[50011], PORTS), Classified::Final(Queue));
    assert_eq!(by_ports(&[46580], PORTS), Classified::Final(ServerWorker));
    assert_eq!(by_ports(&[50111], unknown_queue), Classified::Final(Queue));
    assert_eq!(by_ports(&[46580], unknown_queue), Classified::Final(ServerWorker));
    assert_eq!(by_ports(&[], unknown_queue), Classified::Provisional(StartingExecutor));
}

#[test]
fn an_empty_command_line_gives_a_provisional_class() {
    assert_eq!(class_of("", Some(LongExecutor)), Classified::Provisional(Subprocess));
}

#[test]
fn the_api_port_is_read_from_the_servers_command_line() {
    let port_in = |command_line: &str| api_port_in(command_line.replace('|', "\0").as_bytes());
    assert_eq!(port_in("python|-m|sky.server.server|--port=46780"), Some(46780));
    assert_eq!(port_in("python|-m|sky.server.server|--host=::"), Some(46580));
    assert_eq!(port_in("sleep|60"), None);
    assert_eq!(port_in("sky|--port=http"), None);
}
