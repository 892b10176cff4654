//! Servers that take too long to start or to stop.

use anyhow::Context as _;
use nix::sys::signal::Signal;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use skyload::analysis::Verdict;

use crate::support::{Site, signal, soon};

const WITHIN: &str = "SKYLOAD_SERVER_WITHIN";
/// Holds for every start and stop of a run, so that those which are not to fail must not
/// take longer on a busy machine.
const LIMIT: &str = "20s";

#[test]
fn a_start_that_hangs_is_given_up_and_nothing_is_left() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "status"]).fake("NEVER_READY", 1).env(WITHIN, LIMIT);
    let run = load.fake("START_TIMEOUT_MS", 600_000).run()?;
    run.assert()
        .code(1)
        .stderr(predicate::str::contains("`sky api start --port "))
        .stderr(predicate::str::contains(format!(" did not end within {LIMIT}")))
        .stderr(predicate::str::contains("the end of the server's log"));
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
fn a_server_that_never_answers_is_given_up() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "status"]).fake("NEVER_READY", 1);
    let run = load.fake("START_TIMEOUT_MS", 300).env(WITHIN, LIMIT).run()?;
    run.assert().code(1).stderr(predicate::str::contains(format!(
        "the API server was not ready within {LIMIT}; last: "
    )));
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn a_server_that_sky_gives_up_and_that_dies_then_is_not_waited_for() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "validate"]).fake("NEVER_READY", 1);
    let run = load.fake("START_TIMEOUT_MS", 300).env(WITHIN, "1h").start()?;
    // `sky api start` has given up by then.
    run.says("waiting for its first answer")?;
    let processes = site.processes();
    let is_main = |line: &str| line.contains("-m sky.server.server");
    let main = processes.iter().find(|process| is_main(&process.command_line));
    signal(main.context("its server is there")?.pid, Signal::SIGKILL)?;
    let run = run.finish()?;
    run.assert().code(1).stderr(predicate::str::contains("the API server ended while it started"));
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn a_server_that_sky_gives_up_and_that_answers_late_is_waited_for() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "validate"]).fake("NOT_READY_MS", 1_500);
    load.fake("START_TIMEOUT_MS", 300).run()?.expect(&site, Verdict::Pass)?;
    Ok(())
}

#[test]
fn a_stop_that_hangs_costs_the_run_nothing_and_the_server_is_cleared_away() -> anyhow::Result<()> {
    let site = Site::new()?;
    let load = site.load(["--api", "validate"]).fake("STOP_MS", 600_000).env(WITHIN, LIMIT);
    let run = load.run()?;
    run.expect(&site, Verdict::Pass)?;
    run.assert()
        .stderr(predicate::str::contains(format!("`sky api stop` did not end within {LIMIT}")));
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
    run.assert().stderr(predicate::str::contains("did not end within").not());
    Ok(())
}
