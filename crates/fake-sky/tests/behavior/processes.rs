//! Processes of the stand-in: titles, memory, and lifetime.

use std::net::TcpStream;
use std::path::Path;

use fake_sky::procfs::{self, Process};
use fake_sky::{FakeServer, kill_instance, processes_of, queue_port};
use serde_json::json;

use super::{result, submit, submit_and_wait, wait_for, wait_until_gone};

const MIB: u64 = 1024;

fn assert_close(kib: Option<u64>, mib: u64) {
    let difference = kib.unwrap_or_default().abs_diff(mib * MIB);
    assert!(difference <= 4 * MIB, "expected {mib} MiB, got {kib:?} KiB");
}

#[test]
fn an_executor_of_the_configured_size_runs_the_request() -> anyhow::Result<()> {
    let server = FakeServer::start(&[
        ("FAKE_SKY_EXECUTOR_MIB", "48"),
        ("FAKE_SKY_DAEMONS", "0"),
        ("FAKE_SKY_SERVICE_MS", "1"),
    ])?;
    let (_, request) = submit_and_wait(&server, "/launch")?;
    let executors = server.executors();
    let [executor] = executors.as_slice() else { panic!("expected one: {executors:?}") };

    assert_eq!(request["pid"].as_u64(), Some(executor.pid.into()));
    assert_eq!(executor.command_line, format!("SkyPilot:executor:long:{}", executor.pid));
    assert_eq!(executor.parent, server.pid());
    assert_close(executor.memory_kib("VmRSS"), 48);
    assert_close(executor.memory_kib("VmHWM"), 48);
    let main = server.main().expect("the server runs");
    assert_eq!(main.pid, server.pid());
    assert_close(main.memory_kib("VmRSS"), 16);

    // The next request reuses the idle executor.
    submit_and_wait(&server, "/exec")?;
    assert_eq!(server.executors().len(), 1);
    server.finish()
}

#[test]
fn an_executor_is_untitled_while_it_imports() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_IMPORT_MS", "700"), ("FAKE_SKY_DAEMONS", "0")])?;
    let id = submit(&server, "/status", &json!({}))?;
    wait_for("queue manager and executor have the same command line", || {
        let processes = server.processes();
        let spawned = |process: &&Process| process.command_line.contains("spawn_main");
        (processes.iter().filter(spawned).count() == 2).then_some(())
    })?;
    assert!(server.executors().is_empty());
    result(&server, &id)?;
    assert_eq!(server.executors().len(), 1);
    server.finish()
}

#[test]
fn a_busy_executor_writes_to_the_log_of_its_request() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "500"), ("FAKE_SKY_DAEMONS", "0")])?;
    let id = submit(&server, "/status", &json!({}))?;
    let stdout = |name: &str| {
        let executor = server.executors().into_iter().next()?;
        let target = std::fs::read_link(format!("/proc/{}/fd/1", executor.pid)).ok()?;
        (target.file_name() == Some(name.as_ref())).then_some(())
    };
    wait_for("stdout is the request's log", || stdout(&format!("{id}.log")))?;
    result(&server, &id)?;
    wait_for("stdout is the server's log", || stdout("server.log"))?;
    server.finish()
}

#[test]
fn a_spike_shows_only_in_the_high_water_mark() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SPIKE_MIB", "80"), ("FAKE_SKY_DAEMONS", "0")])?;
    for _ in 0..3 {
        submit_and_wait(&server, "/status")?;
    }
    let executor = server.executors().remove(0);
    assert_close(executor.memory_kib("VmHWM"), 24 + 80);
    assert_close(executor.memory_kib("VmRSS"), 24);
    server.finish()
}

#[test]
fn an_executor_leaks_only_with_its_first_request() -> anyhow::Result<()> {
    let server = FakeServer::start(&[
        ("FAKE_SKY_LEAKED_MIB", "40"),
        ("FAKE_SKY_LEAKED_THREADS", "7"),
        ("FAKE_SKY_ZOMBIES", "2"),
        ("FAKE_SKY_DAEMONS", "0"),
        ("FAKE_SKY_SHORT_POOL", "1"),
    ])?;
    let other = FakeServer::start(&[("FAKE_SKY_DAEMONS", "0"), ("FAKE_SKY_SHORT_POOL", "1")])?;
    for _ in 0..2 {
        submit_and_wait(&server, "/status")?;
        submit_and_wait(&other, "/status")?;
    }
    let (executor, other_executor) = (server.executors().remove(0), other.executors().remove(0));
    wait_for("2 zombies", || (executor.zombies() == 2).then_some(()))?;
    assert_close(executor.memory_kib("VmRSS"), 24 + 40);
    assert_eq!(executor.threads(), other_executor.threads() + 7);
    assert_eq!(other_executor.zombies(), 0);
    other.finish()?;
    server.finish()
}

#[test]
fn requests_beyond_the_pool_wait_unless_there_is_a_burst() -> anyhow::Result<()> {
    for (burst, most) in [("0", 2), ("3", 5)] {
        let server = FakeServer::start(&[
            ("FAKE_SKY_SHORT_POOL", "2"),
            ("FAKE_SKY_BURST", burst),
            ("FAKE_SKY_DAEMONS", "0"),
            ("FAKE_SKY_SERVICE_MS", "300"),
        ])?;
        let ids = (0..6)
            .map(|_| submit(&server, "/status", &json!({})))
            .collect::<anyhow::Result<Vec<_>>>()?;
        wait_for("all executors started", || (server.executors().len() == most).then_some(()))?;
        for id in ids {
            assert_eq!(result(&server, &id)?.0, 200);
        }
        wait_for("burst executors exited", || (server.executors().len() == 2).then_some(()))?;
        server.finish()?;
    }
    Ok(())
}

#[test]
fn a_killed_executor_breaks_its_request_and_no_other() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "1500"), ("FAKE_SKY_DAEMONS", "0")])?;
    let id = submit(&server, "/status", &json!({}))?;
    let executor = wait_for("an executor has its title", || server.executors().into_iter().next())?;
    procfs::kill_hard(executor.pid);
    let (status, request) = result(&server, &id)?;
    assert_eq!(
        (status, super::error_of(&request)?["type"].as_str()),
        (500, Some("BrokenProcessPool"))
    );
    assert_eq!(submit_and_wait(&server, "/status")?.0, 200);
    server.finish()
}

#[test]
fn a_killed_main_leaves_orphans_and_the_queue_port_taken() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    submit_and_wait(&server, "/status")?;
    // A starting executor does not ignore SIGTERM yet, so wait until the daemon request runs.
    result(&server, "skypilot-status-refresh-daemon")?;
    procfs::kill_hard(server.pid());
    wait_until_gone(server.pid())?;
    assert!(server.executors().iter().all(|executor| executor.parent != server.pid()));
    assert!(server.executors().len() >= 2, "executors of the daemon and of the request");
    assert!(TcpStream::connect(("127.0.0.1", queue_port(server.port()))).is_ok());
    // Executors ignore SIGTERM.
    for executor in server.executors() {
        let terminated =
            std::process::Command::new("kill").arg(executor.pid.to_string()).status()?;
        assert!(terminated.success());
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(server.executors().len() >= 2);
    server.finish()
}

#[test]
fn an_executor_that_reports_to_a_killed_main_keeps_running() -> anyhow::Result<()> {
    let settings = [("FAKE_SKY_DAEMONS", "0"), ("FAKE_SKY_SERVICE_MS", "400")];
    let server = FakeServer::start(&settings)?;
    let id = submit(&server, "/status", &json!({}))?;
    let begun = format!("Running request {id}");
    wait_for("the request runs", || server.log().contains(&begun).then_some(()))?;
    procfs::kill_hard(server.pid());
    wait_until_gone(server.pid())?;
    // Longer than the request runs: at its end, the executor cannot report to main any more.
    std::thread::sleep(std::time::Duration::from_millis(800));
    assert_eq!(server.executors().len(), 1, "{:?}", server.processes());
    server.finish()
}

#[test]
fn orphans_and_unused_servers_exit() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_ORPHAN_MS", "300")])?;
    submit_and_wait(&server, "/status")?;
    procfs::kill_hard(server.pid());
    wait_for("all orphans exited", || server.processes().is_empty().then_some(()))?;

    let server = FakeServer::start(&[("FAKE_SKY_IDLE_EXIT_MS", "2000")])?;
    wait_for("the unused server exited", || server.processes().is_empty().then_some(()))
}

#[test]
fn a_dropped_server_leaves_nothing() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    submit_and_wait(&server, "/status")?;
    let home = server.home().to_owned();
    assert!(processes_of(&home).len() >= 5);
    drop(server);
    assert!(processes_of(&home).is_empty());
    assert!(!home.exists());
    kill_instance(Path::new("/nowhere/at/all"))
}
