//! Servers that take too long to start or to stop.

use anyhow::Context as _;
use nix::sys::signal::Signal;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use skyload::analysis::Verdict;

use crate::support::{Site, signal, soon};

const TIMEOUT_VARIABLE: &str = "SKYLOAD_SERVER_WITHIN";
/// Time limit of every start and stop of a run. Long enough for those that must succeed, also on a
/// busy machine.
const TIMEOUT: &str = "20s";

#[test]
fn a_start_that_hangs_times_out_and_nothing_is_left() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "status"]).fake("NEVER_READY", 1).env(TIMEOUT_VARIABLE, TIMEOUT);
    let run = load.fake("START_TIMEOUT_MS", 600_000).run()?;
    run.assert()
        .code(1)
        .stderr(predicate::str::contains("`sky api start --port "))
        .stderr(predicate::str::contains(format!(" timed out after {TIMEOUT}")))
        .stderr(predicate::str::contains("API server not started; last log lines:"));
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn ctrl_c_ends_a_start_that_hangs() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "status"]).fake("NEVER_READY", 1);
    let run = load.fake("START_TIMEOUT_MS", 600_000).start()?;
    let is_server = |line: &str| line.contains("sky.server.server");
    soon("the server's process is there", || {
        let processes = site.processes();
        processes.iter().any(|process| is_server(&process.command_line)).then_some(())
    })?;
    run.signal(Signal::SIGINT)?;
    let run = run.finish()?;
    run.assert().code(12).stderr(predicate::str::contains("interrupted before there was a result"));
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn a_server_that_never_responds_times_out() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "status"]).fake("NEVER_READY", 1);
    let run = load.fake("START_TIMEOUT_MS", 300).env(TIMEOUT_VARIABLE, TIMEOUT).run()?;
    run.assert().code(1).stderr(predicate::str::contains(format!(
        "API server not ready after {TIMEOUT}; last error: "
    )));
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn a_server_that_dies_after_sky_api_start_gave_up_ends_the_wait() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "validate"]).fake("NEVER_READY", 1);
    let run = load.fake("START_TIMEOUT_MS", 300).env(TIMEOUT_VARIABLE, "1h").start()?;
    // `sky api start` has given up by then.
    run.says("waiting for the first response")?;
    let processes = site.processes();
    let is_main = |line: &str| line.contains("-m sky.server.server");
    let main = processes.iter().find(|process| is_main(&process.command_line));
    signal(main.context("the server runs")?.pid, Signal::SIGKILL)?;
    let run = run.finish()?;
    run.assert().code(1).stderr(predicate::str::contains("API server exited during startup"));
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn a_server_that_responds_after_sky_api_start_gave_up_is_used() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "validate"]).fake("NOT_READY_MS", 1_500);
    load.fake("START_TIMEOUT_MS", 300).run()?.expect(&site, Verdict::Pass)?;
    Ok(())
}

#[test]
fn a_stop_that_hangs_does_not_change_the_verdict_and_the_server_is_killed() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load =
        site.load(["--api", "validate"]).fake("STOP_MS", 600_000).env(TIMEOUT_VARIABLE, TIMEOUT);
    let run = load.run()?;
    run.expect(&site, Verdict::Pass)?;
    run.assert()
        .stderr(predicate::str::contains(format!("`sky api stop` timed out after {TIMEOUT}")));
    Ok(())
}

#[test]
fn ctrl_c_ends_a_stop_that_hangs() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "validate"]).fake("STOP_MS", 600_000).start()?;
    run.says("Ending the server")?;
    run.signal(Signal::SIGINT)?;
    let run = run.finish()?;
    run.expect(&site, Verdict::Pass)?;
    run.assert().stderr(predicate::str::contains("`sky api stop` timed out").not());
    Ok(())
}
