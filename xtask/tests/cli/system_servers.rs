//! `--server system`: a local server, here with a test's own home and port.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use fake_sky::{FakeServer, free_port, http, procfs};
use nix::sys::signal::Signal;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use serde_json::json;
use skyload::analysis::Verdict;
use skyload::env;
use skyload::record::profile::Phase;
use skyload::scenario::ScenarioId;

use crate::support::{Finished, Site, Xtask, soon};

/// Default port of SkyPilot, on which a real local server may listen.
const REAL_PORT: u16 = 46_580;

#[test]
fn a_server_that_was_not_running_is_started_and_stopped() -> anyhow::Result<()> {
    let site = Site::new()?;
    let port = free_port()?;
    let home = site.path("home");
    std::fs::create_dir(&home)?;
    let run = load(&site, &home, port, &["--api", "status"])?;
    run.expect(&site, Verdict::Pass)?;
    let ready = format!("your API server (SkyPilot 0.14.1, port {port}): ready, pid ");
    run.assert().stderr(predicate::str::contains(ready));
    assert!(home.join(".sky/api_server/server.log").exists(), "the server ran in this home");
    assert!(fake_sky::processes_of(&home).is_empty());
    Ok(())
}

#[test]
fn a_server_with_running_requests_is_restarted_only_with_consent() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start_deployed(&[("FAKE_SKY_SERVICE_MS", "600000")])?;
    let pid = server.pid();
    let user = json!({"env_vars": {"SKYPILOT_USER_ID": "12345678", "SKYPILOT_USER": "somebody"}});
    http::post(&format!("{}/status", server.url()), &user)?.request_id()?;

    let failed = load(&site, server.home(), server.port(), &["--api", "status"])?;
    failed
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("would abort 1 running request on your server"))
        .stderr(predicate::str::contains("pass --yes to abort them"));
    assert_eq!(server.main().map(|main| main.pid), Some(pid), "the server was not restarted");
    site.assert_nothing_is_left();

    let other_home = load(&site, &site.path("."), server.port(), &["--api", "status", "--yes"])?;
    other_home.assert().code(2).stderr(predicate::str::contains("would change them: HOME\n"));
    assert_eq!(server.main().map(|main| main.pid), Some(pid), "the server was not restarted");

    let run = load(&site, server.home(), server.port(), &["--api", "status", "--yes"])?;
    run.assert().code(0).stderr(predicate::str::contains("its list of requests and their logs"));
    let now = server.main().expect("the server was left running");
    assert_ne!(now.pid, pid, "the server was restarted");
    assert!(now.command_line.contains(" --deploy --host=0.0.0.0 "), "{}", now.command_line);
    assert!(site.cleanup_records().is_empty(), "the server is not the run's");
    server.finish()
}

#[test]
fn a_server_that_does_not_list_its_requests_is_restarted_only_with_consent() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_BASIC_AUTH", "me:secret")])?;
    let pid = server.pid();
    let failed = load(&site, server.home(), server.port(), &["--api", "status"])?;
    failed
        .assert()
        .code(2)
        .stderr(predicate::str::contains("cannot list the running requests on your server"))
        .stderr(predicate::str::contains("pass --yes"));
    assert_eq!(server.main().map(|main| main.pid), Some(pid), "the server was not restarted");
    server.finish()
}

#[test]
fn a_release_that_stops_all_servers_stops_those_on_other_ports_only_with_consent()
-> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let failed = command(&site, server.home(), server.port(), &["--api", "status"])?
        .fake("SELECTS_PORT", "0")
        .run()?;
    // Further servers may run on this machine.
    failed
        .assert()
        .code(2)
        .stderr(predicate::str::contains("stops every API server of this machine"))
        .stderr(predicate::str::contains(format!("port {} (pid {})", server.port(), server.pid())));
    assert_eq!(server.main().map(|main| main.pid), Some(server.pid()), "it still runs");
    server.finish()
}

#[test]
fn a_restart_without_a_list_of_requests_notes_what_is_deleted() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_BASIC_AUTH", "me:secret")])?;
    let run = load(&site, server.home(), server.port(), &["--api", "status", "--yes"])?;
    run.assert()
        .code(0)
        .stderr(predicate::str::contains("Cannot list the running requests on your server"))
        .stderr(predicate::str::contains("deletes its list of requests and their logs"))
        .stderr(predicate::str::contains("does not respond").not());
    server.finish()
}

#[test]
fn an_interrupted_restart_leaves_the_local_server_running() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let run = command(&site, server.home(), server.port(), &["--api", "status"])?
        .fake("STOP_MS", 500)
        .fake("START_MS", 3_000)
        .start()?;
    let stop = soon("the local server is being stopped", || {
        site.processes().into_iter().find(|process| process.command_line.ends_with(" api stop"))
    })?;
    assert!(stop.was_started_with("SKYPILOT_DISABLE_USAGE_COLLECTION=1"), "{stop:?}");
    soon("the local server is stopped", || server.main().is_none().then_some(()))?;
    run.signal(Signal::SIGINT)?;
    let run = run.finish()?;
    run.assert().code(12).stderr(predicate::str::contains("Starting your API server again"));
    assert!(server.main().is_some(), "{}", run.stderr());
    assert!(site.cleanup_records().is_empty(), "the server is not the run's");
    server.finish()
}

#[test]
fn a_local_server_that_died_under_the_load_is_started_again() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let run = command(&site, server.home(), server.port(), &["--api", "status"])?
        .fake("SERVICE_MS", 2_000)
        .fake("DIE_AFTER_MS", 200)
        .run()?;
    run.assert().stderr(predicate::str::contains("Starting your API server again"));
    assert!(server.main().is_some(), "{}", run.stderr());
    assert!(site.cleanup_records().is_empty(), "the server is not the run's");
    server.finish()
}

#[test]
fn a_server_that_somebody_starts_in_the_place_of_a_dead_one_stays() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let run = command(&site, server.home(), server.port(), &["--api", "status"])?
        .fake("SERVICE_MS", 30_000)
        .start()?;
    run.scenario(ScenarioId::ApiStatus)?;
    let loaded = server.main().expect("the server runs").pid;
    // With its queue, whose port the next server needs.
    let below = procfs::descendants_of(loaded);
    procfs::kill_hard(loaded);
    below.iter().for_each(|process| procfs::kill_hard(process.pid));
    soon("the server is gone", || server.main().is_none().then_some(()))?;
    assert!(server.client().args(["api", "start"]).status()?.success());
    let others = server.main().expect("another server runs").pid;
    let run = run.finish()?;
    run.assert().stderr(predicate::str::contains("Starting your API server again").not());
    assert_eq!(server.main().map(|main| main.pid), Some(others), "{}", run.stderr());
    assert!(site.cleanup_records().is_empty(), "the server is not the run's");
    server.finish()
}

#[test]
fn a_local_server_is_started_again_although_the_end_of_its_log_cannot_be_saved()
-> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let running = command(&site, server.home(), server.port(), &["--api", "status"])?
        .fake("SERVICE_MS", 2_000)
        .fake("DIE_AFTER_MS", 200)
        .start()?;
    std::fs::create_dir(running.phase(Phase::Baseline)?.server_log_tail())?;
    let run = running.finish()?;
    run.assert().code(1).stderr(predicate::str::contains("saving the end of the server's log"));
    assert!(server.main().is_some(), "{}", run.stderr());
    assert!(site.cleanup_records().is_empty(), "the server is not the run's");
    server.finish()
}

#[test]
fn an_error_of_the_jobs_queue_is_not_expected_from_a_server_that_consolidates() -> anyhow::Result<()>
{
    let site = Site::new()?;
    let home = site.path("home");
    std::fs::create_dir(&home)?;
    let run = command(&site, &home, free_port()?, &["--api", "jobs_queue"])?
        .fake("REFUSE", "sky.jobs.queue:1")
        .run()?;
    run.expect(&site, Verdict::ScenarioFailed)?;
    Ok(())
}

fn load(site: &Site, home: &Path, port: u16, args: &[&str]) -> anyhow::Result<Finished> {
    command(site, home, port, args)?.run()
}

/// Command for a load of the local server of a user with this home, on this port.
pub(crate) fn command<'a>(
    site: &'a Site,
    home: &Path,
    port: u16,
    args: &[&str],
) -> anyhow::Result<Xtask<'a>> {
    assert_ne!(port, REAL_PORT);
    let programs = site.path("bin");
    if !programs.exists() {
        std::fs::create_dir(&programs)?;
        symlink(fake_sky::executable(), programs.join("sky"))?;
    }
    let path = format!("{}:{}", programs.display(), env::text("PATH").unwrap_or_default());
    let config = site.path("skyload.toml").display().to_string();
    let line = ["load", "--server", "system", "--config", &config];
    let mut xtask = site
        .xtask(line.into_iter().chain(args.iter().copied()))
        .env("PATH", path)
        .env("HOME", home)
        .env("SKYPILOT_API_SERVER_LOCAL_PORT", port.to_string());
    // Cargo and rustup find their directories by HOME, which is not the real one here.
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let real = env::path(name).or_else(|| Some(real_home()?.join(folder)));
        if let Some(real) = real {
            xtask = xtask.env(name, real);
        }
    }
    Ok(xtask)
}

fn real_home() -> Option<PathBuf> {
    env::path("HOME")
}
