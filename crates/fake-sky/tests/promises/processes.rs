//! The processes: their titles, their memory, and where they end.

use std::net::TcpStream;
use std::path::Path;

use fake_sky::procfs::{self, Process};
use fake_sky::{FakeServer, kill_instance, processes_of, queue_port};
use serde_json::json;

use super::{ask, gone, result, soon, submit};

const MIB: u64 = 1024;

fn assert_close(kib: Option<u64>, mib: u64) {
    let off = kib.unwrap_or_default().abs_diff(mib * MIB);
    assert!(off <= 4 * MIB, "{kib:?} KiB is not {mib} MiB");
}

#[test]
fn an_executor_of_the_configured_size_runs_the_request() -> anyhow::Result<()> {
    let server = FakeServer::start(&[
        ("FAKE_SKY_EXECUTOR_MIB", "48"),
        ("FAKE_SKY_DAEMONS", "0"),
        ("FAKE_SKY_SERVICE_MS", "1"),
    ])?;
    let (_, request) = ask(&server, "/launch")?;
    let executors = server.executors();
    let [executor] = executors.as_slice() else { panic!("one is enough: {executors:?}") };

    assert_eq!(request["pid"].as_u64(), Some(executor.pid.into()));
    assert_eq!(executor.command_line, format!("SkyPilot:executor:long:{}", executor.pid));
    assert_eq!(executor.parent, server.pid());
    assert_close(executor.memory_kib("VmRSS"), 48);
    assert_close(executor.memory_kib("VmHWM"), 48);
    let main = server.main().expect("it runs");
    assert_eq!(main.pid, server.pid());
    assert_close(main.memory_kib("VmRSS"), 16);

    // The same one again.
    ask(&server, "/exec")?;
    assert_eq!(server.executors().len(), 1);
    server.finish()
}

#[test]
fn an_executor_is_untitled_while_it_imports() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_IMPORT_MS", "700"), ("FAKE_SKY_DAEMONS", "0")])?;
    let id = submit(&server, "/status", &json!({}))?;
    soon("the queue manager and the executor look alike", || {
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
    soon("busy", || stdout(&format!("{id}.log")))?;
    result(&server, &id)?;
    soon("idle", || stdout("server.log"))?;
    server.finish()
}

#[test]
fn a_spike_is_seen_by_the_high_water_mark_only() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SPIKE_MIB", "80"), ("FAKE_SKY_DAEMONS", "0")])?;
    for _ in 0..3 {
        ask(&server, "/status")?;
    }
    let executor = server.executors().remove(0);
    assert_close(executor.memory_kib("VmHWM"), 24 + 80);
    assert_close(executor.memory_kib("VmRSS"), 24);
    server.finish()
}

#[test]
fn what_an_executor_keeps_it_takes_once_and_for_good() -> anyhow::Result<()> {
    let server = FakeServer::start(&[
        ("FAKE_SKY_LEAKED_MIB", "40"),
        ("FAKE_SKY_LEAKED_THREADS", "7"),
        ("FAKE_SKY_ZOMBIES", "2"),
        ("FAKE_SKY_DAEMONS", "0"),
        ("FAKE_SKY_SHORT_POOL", "1"),
    ])?;
    let other = FakeServer::start(&[("FAKE_SKY_DAEMONS", "0"), ("FAKE_SKY_SHORT_POOL", "1")])?;
    for _ in 0..2 {
        ask(&server, "/status")?;
        ask(&other, "/status")?;
    }
    let (executor, other_executor) = (server.executors().remove(0), other.executors().remove(0));
    soon("its children have ended", || (executor.zombies() == 2).then_some(()))?;
    assert_close(executor.memory_kib("VmRSS"), 24 + 40);
    assert_eq!(executor.threads(), other_executor.threads() + 7);
    assert_eq!(other_executor.zombies(), 0);
    other.finish()?;
    server.finish()
}

#[test]
fn what_exceeds_the_pool_waits_unless_there_is_a_burst() -> anyhow::Result<()> {
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
        soon("all of them start", || (server.executors().len() == most).then_some(()))?;
        for id in ids {
            assert_eq!(result(&server, &id)?.0, 200);
        }
        soon("the burst is over", || (server.executors().len() == 2).then_some(()))?;
        server.finish()?;
    }
    Ok(())
}

#[test]
fn a_killed_executor_breaks_its_request_and_no_other() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "1500"), ("FAKE_SKY_DAEMONS", "0")])?;
    let id = submit(&server, "/status", &json!({}))?;
    let executor = soon("it serves", || server.executors().into_iter().next())?;
    procfs::kill_hard(executor.pid);
    let (status, request) = result(&server, &id)?;
    assert_eq!(
        (status, super::error_of(&request)?["type"].as_str()),
        (500, Some("BrokenProcessPool"))
    );
    assert_eq!(ask(&server, "/status")?.0, 200);
    server.finish()
}

#[test]
fn a_killed_main_leaves_orphans_and_the_queue_port_taken() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    ask(&server, "/status")?;
    // Only an executor that serves ignores SIGTERM.
    result(&server, "skypilot-status-refresh-daemon")?;
    procfs::kill_hard(server.pid());
    gone(server.pid())?;
    assert!(server.executors().iter().all(|executor| executor.parent != server.pid()));
    assert!(server.executors().len() >= 2, "the daemon's and the request's");
    assert!(TcpStream::connect(("127.0.0.1", queue_port(server.port()))).is_ok());
    // SIGTERM does not impress them.
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
fn an_executor_stays_that_had_something_to_say_to_a_killed_main() -> anyhow::Result<()> {
    let settings = [("FAKE_SKY_DAEMONS", "0"), ("FAKE_SKY_SERVICE_MS", "400")];
    let server = FakeServer::start(&settings)?;
    let id = submit(&server, "/status", &json!({}))?;
    let begun = format!("Running request {id}");
    soon("it runs", || server.log().contains(&begun).then_some(()))?;
    procfs::kill_hard(server.pid());
    gone(server.pid())?;
    // Past the end of the request, when its executor reports in vain.
    std::thread::sleep(std::time::Duration::from_millis(800));
    assert_eq!(server.executors().len(), 1, "{:?}", server.processes());
    server.finish()
}

#[test]
fn orphans_end_by_themselves() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_ORPHAN_MS", "300")])?;
    ask(&server, "/status")?;
    procfs::kill_hard(server.pid());
    soon("none is left", || server.processes().is_empty().then_some(()))?;

    let server = FakeServer::start(&[("FAKE_SKY_IDLE_EXIT_MS", "2000")])?;
    soon("a forgotten server ends", || server.processes().is_empty().then_some(()))
}

#[test]
fn a_dropped_server_leaves_nothing() -> anyhow::Result<()> {
    let server = FakeServer::start(&[])?;
    ask(&server, "/status")?;
    let home = server.home().to_owned();
    assert!(processes_of(&home).len() >= 5);
    drop(server);
    assert!(processes_of(&home).is_empty());
    assert!(!home.exists());
    kill_instance(Path::new("/nowhere/at/all"))
}
