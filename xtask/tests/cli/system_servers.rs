//! `--server system`: the user's own server, here with a home and a port that no
//! user has.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use fake_sky::{FakeServer, free_port, http};
use nix::sys::signal::Signal;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use serde_json::json;
use skyload::analysis::Verdict;
use skyload::env;

use crate::support::{Finished, Site, Xtask, soon};

/// SkyPilot's own port: a real user's server may be there.
const REAL_PORT: u16 = 46_580;

#[test]
fn a_server_that_was_not_running_is_started_and_stopped() -> anyhow::Result<()> {
    let site = Site::new()?;
    let port = free_port()?;
    let home = site.path("home");
    std::fs::create_dir(&home)?;
    let run = load(&site, &home, port, &["--api", "status"])?;
    run.expect(&site, Verdict::Pass)?;
    let ready = format!("the user's API server (SkyPilot 0.14.1, port {port}): ready, pid ");
    run.assert().stderr(predicate::str::contains(ready));
    assert!(home.join(".sky/api_server/server.log").exists(), "it ran in the user's home");
    assert!(fake_sky::processes_of(&home).is_empty());
    Ok(())
}

#[test]
fn a_server_with_requests_in_flight_is_restarted_only_with_consent() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_SERVICE_MS", "600000")])?;
    let pid = server.pid();
    let user = json!({"env_vars": {"SKYPILOT_USER_ID": "12345678", "SKYPILOT_USER": "somebody"}});
    http::post(&format!("{}/status", server.url()), &user)?.request_id()?;

    let refused = load(&site, server.home(), server.port(), &["--api", "status"])?;
    refused
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("1 request(s) are under way on the user's server"))
        .stderr(predicate::str::contains("add --yes to end them"));
    assert_eq!(server.main().map(|main| main.pid), Some(pid), "it was not touched");
    site.assert_nothing_is_left();

    let run = load(&site, server.home(), server.port(), &["--api", "status", "--yes"])?;
    run.assert().code(0).stderr(predicate::str::contains("its list of requests and their logs"));
    let now = server.main().map(|main| main.pid);
    assert!(now.is_some() && now != Some(pid), "it was restarted, and left running as it was");
    assert!(site.in_custody().is_empty(), "it is the user's");
    server.finish()
}

#[test]
fn a_server_that_does_not_tell_its_requests_is_restarted_only_with_consent() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_BASIC_AUTH", "me:secret")])?;
    let pid = server.pid();
    let refused = load(&site, server.home(), server.port(), &["--api", "status"])?;
    refused
        .assert()
        .code(2)
        .stderr(predicate::str::contains("nobody can tell whether requests are under way"))
        .stderr(predicate::str::contains("add --yes"));
    assert_eq!(server.main().map(|main| main.pid), Some(pid), "it was not touched");
    server.finish()
}

#[test]
fn a_server_that_refuses_to_tell_is_restarted_with_consent_and_with_a_word_on_what_is_lost()
-> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_BASIC_AUTH", "me:secret")])?;
    let run = load(&site, server.home(), server.port(), &["--api", "status", "--yes"])?;
    run.assert()
        .code(0)
        .stderr(predicate::str::contains("Nobody can tell whether requests are under way"))
        .stderr(predicate::str::contains("its list of requests and their logs are lost"))
        .stderr(predicate::str::contains("does not answer").not());
    server.finish()
}

#[test]
fn an_interrupted_restart_leaves_the_users_server_running_as_it_was() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let run = command(&site, server.home(), server.port(), &["--api", "status"])?
        .fake("START_MS", 3_000)
        .start()?;
    soon("the user's server is stopped", || server.main().is_none().then_some(()))?;
    run.signal(Signal::SIGINT)?;
    let run = run.finish()?;
    run.assert().code(12).stderr(predicate::str::contains("Starting the user's API server again"));
    assert!(server.main().is_some(), "{}", run.stderr());
    assert!(site.in_custody().is_empty(), "it is the user's");
    server.finish()
}

#[test]
fn a_users_server_that_died_under_the_load_runs_again_afterwards() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let run = command(&site, server.home(), server.port(), &["--api", "status"])?
        .fake("SERVICE_MS", 2_000)
        .fake("DIE_AFTER_MS", 200)
        .run()?;
    run.assert().stderr(predicate::str::contains("Starting the user's API server again"));
    assert!(server.main().is_some(), "{}", run.stderr());
    assert!(site.in_custody().is_empty(), "it is the user's");
    server.finish()
}

#[test]
fn a_users_server_that_consolidates_may_not_refuse_the_queue_of_jobs() -> anyhow::Result<()> {
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

/// A load of the server that a user with this home has on this port.
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
    // Cargo and rustup are found by the real home, unless they are told.
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
