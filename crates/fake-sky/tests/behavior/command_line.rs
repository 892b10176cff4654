//! Program `sky`.

use std::path::Path;
use std::process::{Command, Output};

use fake_sky::{FakeServer, executable, http, kill_instance, processes_of};
use serde_json::Value;

use super::wait_for;

/// HOME and port for a test that starts the server with `sky`.
struct Client {
    home: tempfile::TempDir,
    port: String,
}

impl Client {
    /// Client with a free port, found by starting and stopping a server.
    fn new() -> anyhow::Result<Self> {
        let server = FakeServer::start(&[("FAKE_SKY_DAEMONS", "0")])?;
        let port = server.port().to_string();
        server.finish()?;
        Ok(Self { home: tempfile::tempdir()?, port })
    }

    fn sky(&self, arguments: &[&str], settings: &[(&str, &str)]) -> anyhow::Result<Output> {
        Ok(Command::new(executable())
            .args(arguments)
            .env("HOME", self.home.path())
            .env("SKYPILOT_API_SERVER_LOCAL_PORT", &self.port)
            .env_remove("SKYPILOT_API_SERVER_ENDPOINT")
            .envs(settings.iter().copied())
            .output()?)
    }

    fn is_healthy(&self) -> bool {
        http::is_healthy(&format!("http://127.0.0.1:{}", self.port))
    }

    fn home(&self) -> &Path {
        self.home.path()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        _ = kill_instance(self.home());
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_program_prints_its_version_and_constants() -> anyhow::Result<()> {
    let output = Command::new(executable()).arg("--version").output()?;
    assert_eq!(text(&output), "skypilot, version 0.14.1\n");
    let output = Command::new(executable())
        .arg("constants")
        .env("FAKE_SKY_CONSTANTS", r#"{"LONG_WORKER_MEM_GB": 0.02}"#)
        .output()?;
    let constants: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(constants["constants"]["LONG_WORKER_MEM_GB"], 0.02);
    assert_eq!(constants["version"], fake_sky::VERSION);
    Ok(())
}

#[test]
fn start_and_stop_leave_nothing() -> anyhow::Result<()> {
    let client = Client::new()?;
    assert!(client.sky(&["api", "start"], &[])?.status.success());
    assert!(client.is_healthy());
    let before = processes_of(client.home());
    let main = before.iter().find(|process| process.command_line.contains("sky.server.server"));
    let line = &main.expect("the server runs").command_line;
    assert!(
        line.ends_with(&format!("-m sky.server.server --host=127.0.0.1 --port={}", client.port)),
        "{line}"
    );

    // A second start finds the running server.
    assert!(client.sky(&["api", "start"], &[])?.status.success());
    let mains = |line: &str| line.contains("sky.server.server");
    let running = processes_of(client.home());
    assert_eq!(running.iter().filter(|process| mains(&process.command_line)).count(), 1);

    let stopped = client.sky(&["api", "stop"], &[])?;
    assert_eq!(text(&stopped), "SkyPilot API server stopped.\n");
    assert!(processes_of(client.home()).is_empty());
    let nothing = client.sky(&["api", "stop"], &[])?;
    assert!(nothing.status.success() && text(&nothing).contains("not running"));
    Ok(())
}

#[test]
fn a_stop_leaves_the_spared_executors() -> anyhow::Result<()> {
    let client = Client::new()?;
    assert!(client.sky(&["api", "start"], &[("FAKE_SKY_DAEMONS", "2")])?.status.success());
    let executors = || {
        let mut processes = processes_of(client.home());
        processes.retain(|process| process.command_line.starts_with("SkyPilot:executor:"));
        processes.len()
    };
    wait_for("both executors have their titles", || (executors() == 2).then_some(()))?;
    let stopped = client.sky(&["api", "stop"], &[("FAKE_SKY_STOP_SPARES", "1")])?;
    assert!(stopped.status.success() && !client.is_healthy());
    assert_eq!((executors(), processes_of(client.home()).len()), (1, 1));
    Ok(())
}

#[test]
fn a_start_that_fails_is_an_error() -> anyhow::Result<()> {
    let client = Client::new()?;
    let exited = client.sky(&["api", "start"], &[("FAKE_SKY_EXIT_AT_START", "broken")])?;
    assert_eq!(exited.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&exited.stderr).contains("exited unexpectedly"));
    let log = std::fs::read_to_string(client.home().join(".sky/api_server/server.log"))?;
    assert!(log.contains("broken"), "{log}");

    let settings = [("FAKE_SKY_NEVER_READY", "1"), ("FAKE_SKY_START_TIMEOUT_MS", "300")];
    assert_eq!(client.sky(&["api", "start"], &settings)?.status.code(), Some(1));
    Ok(())
}

#[test]
fn an_orphaned_queue_manager_prevents_the_next_start() -> anyhow::Result<()> {
    let client = Client::new()?;
    assert!(client.sky(&["api", "start"], &[("FAKE_SKY_DIE_AFTER_MS", "0")])?.status.success());
    // The first request kills the server. Whether the client gets a response is a race.
    _ = client.sky(&["status"], &[])?;
    wait_for("the server is dead", || (!client.is_healthy()).then_some(()))?;
    assert!(!client.sky(&["api", "start"], &[])?.status.success());
    let log = std::fs::read_to_string(client.home().join(".sky/api_server/server.log"))?;
    assert!(log.contains("fails to start as port"), "{log}");
    kill_instance(client.home())?;
    assert!(client.sky(&["api", "start"], &[])?.status.success());
    Ok(())
}

#[test]
fn a_deployed_server_has_web_workers() -> anyhow::Result<()> {
    let client = Client::new()?;
    assert!(
        client.sky(&["api", "start", "--deploy"], &[("FAKE_SKY_DAEMONS", "0")])?.status.success()
    );
    let spawned = processes_of(client.home());
    let spawned = spawned.iter().filter(|process| process.command_line.contains("spawn_main"));
    assert_eq!(spawned.count(), 3, "two web workers and the queue manager");
    Ok(())
}

#[test]
fn client_commands_send_their_user_id() -> anyhow::Result<()> {
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "1")])?;
    let sky = |arguments: &[&str]| {
        server.client().args(arguments).env("SKYPILOT_USER_ID", "abcd0001").output()
    };
    for arguments in [["status", ""], ["jobs", "queue"], ["api", "info"], ["api", "status"]] {
        let arguments: Vec<_> = arguments.into_iter().filter(|word| !word.is_empty()).collect();
        let output = sky(&arguments)?;
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    assert_eq!(sky(&["launch", "-c", "c1", "-y", "echo hi"])?.status.code(), Some(1));
    assert_eq!(sky(&["launch", "-c", "c1", "-y", "--async", "echo hi"])?.status.code(), Some(0));

    let rows = http::get(&format!("{}/api/status?all_status=True", server.url()))?.json()?;
    let rows = rows.as_array().expect("a list");
    let count = |name: &str| {
        let named = |row: &&Value| row["name"] == name && row["user_id"] == "abcd0001";
        rows.iter().filter(named).count()
    };
    assert_eq!(count("sky.status"), 1);
    assert_eq!(count("sky.jobs.queue_v2"), 2);
    assert_eq!(count("sky.launch"), 2);

    let unreachable = Command::new(executable())
        .arg("status")
        .env("SKYPILOT_API_SERVER_ENDPOINT", "http://127.0.0.1:1")
        .output()?;
    assert_eq!(unreachable.status.code(), Some(1));
    server.finish()
}
