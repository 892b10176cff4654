//! Runs that are interrupted or killed.

use anyhow::Context as _;
use fake_sky::FakeServer;
use nix::sys::signal::Signal;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use skyload::analysis::{Severity, Verdict};
use skyload::record::events::Event;
use skyload::record::profile::Phase;
use skyload::scenario::ScenarioId;

use crate::support::{Finished, Running, Settings, Site, assert_finding, signal, soon};

/// Interrupts a run, and asserts that it ends cleanly with this finding.
fn interrupt(run: Running<'_>, site: &Site, finding: &str) -> anyhow::Result<Finished> {
    run.signal(Signal::SIGINT)?;
    let run = run.finish()?;
    let report = run.expect(site, Verdict::Inconclusive)?;
    assert_finding(&report, Severity::Inconclusive, "interrupted after ");
    assert_finding(&report, Severity::Inconclusive, finding);
    run.assert().stdout(predicate::str::contains("MONITORING SUMMARY"));
    Ok(run)
}

#[test]
fn ctrl_c_during_the_baseline_ends_the_run_cleanly() -> anyhow::Result<()> {
    let site = Site::with(&Settings { baseline: "90s", ..Settings::default() })?;
    let run = site.load([""; 0]).start()?;
    run.phase(Phase::Baseline)?;
    interrupt(run, &site, "the run ended before the load: api:status, ")?;
    Ok(())
}

#[test]
fn ctrl_c_during_the_load_keeps_the_measurements() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load([""; 0]).fake("SERVICE_MS", 90_000).start()?;
    run.scenario(ScenarioId::ApiStatus)?;
    let run = interrupt(run, &site, "stopped before all iterations ran: api:status, ")?;
    assert!(run.run_dir()?.outcome(ScenarioId::ProbeHealth).exists());
    Ok(())
}

#[test]
fn ctrl_c_ends_a_health_check_without_a_response() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let main = server.main().context("the server runs")?.pid;
    // A stopped server accepts connections and sends no response.
    signal(main, Signal::SIGSTOP)?;
    let run = site.load(["--server", &server.url(), "--api", "validate"]).start()?;
    run.says("Checking the health of ")?;
    run.signal(Signal::SIGINT)?;
    let run = run.finish()?;
    signal(main, Signal::SIGCONT)?;
    run.assert()
        .code(12)
        .stderr(predicate::str::contains("interrupted before there was a result"))
        // The check was cancelled before its timeout.
        .stderr(predicate::str::contains("cannot reach").not());
    server.finish()
}

#[test]
fn ctrl_c_ends_a_comparison_of_clocks_without_a_response() -> anyhow::Result<()> {
    let more = "[plans.patient]\nbaseline = \"200ms\"\ncooldown = \"3s\"\niterations = 1";
    let site = Site::with(&Settings { more, ..Settings::default() })?;
    let server = FakeServer::start(&[])?;
    let main = server.main().context("the server runs")?.pid;
    let load = ["--plan", "patient", "--server", &server.url(), "--api", "validate"];
    let run = site.load(load).start()?;
    let dir = run.phase(Phase::Cooldown)?;
    // A stopped server accepts connections and sends no response.
    signal(main, Signal::SIGSTOP)?;
    soon("the phases have ended", || {
        let events = dir.read_events().ok()?;
        events.values.iter().any(|entry| entry.event == Event::PhasesEnded).then_some(())
    })?;
    run.signal(Signal::SIGINT)?;
    let run = run.finish()?;
    signal(main, Signal::SIGCONT)?;
    let report = run.expect(&site, Verdict::Inconclusive)?;
    assert_finding(&report, Severity::Inconclusive, "interrupted after ");
    server.finish()
}

#[test]
fn a_budget_that_was_exceeded_before_an_interruption_counts() -> anyhow::Result<()> {
    let site = Site::new()?;
    let over = ["--budget", "short-executor=8MiB"];
    let run = site.load(over).fake("SERVICE_MS", 90_000).start()?;
    run.scenario(ScenarioId::ApiStatus)?;

    let second = site.load([""; 0]).run()?;
    second.assert().code(1).stderr(predicate::str::is_match(r"another run is active.*pid \d+")?);
    assert!(second.run.is_none());

    run.signal(Signal::SIGTERM)?;
    let run = run.finish()?;
    let report = run.expect(&site, Verdict::OverBudget)?;
    assert_finding(&report, Severity::OverBudget, "short-executor: 24.");
    assert_finding(&report, Severity::Inconclusive, "interrupted after ");
    Ok(())
}

#[test]
fn processes_of_a_killed_run_are_removed_by_its_profiler() -> anyhow::Result<()> {
    let site = Site::new()?;
    let killed = site.load([""; 0]).fake("SERVICE_MS", 90_000).start()?;
    killed.scenario(ScenarioId::ApiStatus)?;
    killed.signal(Signal::SIGKILL)?;
    let killed = killed.finish()?;
    soon("nothing is left of it", || site.processes().is_empty().then_some(()))?;
    site.assert_nothing_is_left();
    let dead = killed.run_dir()?;
    assert!(!dead.instance().exists());

    // The run has written no report; its files are enough for one.
    let id = dead.id().to_string();
    let report = site.xtask(["report", &id]).run()?;
    report
        .assert()
        .code(12)
        .stdout(predicate::str::contains("MONITORING SUMMARY"))
        .stdout(predicate::str::contains("INCONCLUSIVE: the run ended early"))
        .stdout(predicate::str::contains("does not cover baseline to cooldown"));
    Ok(())
}

#[test]
fn the_next_run_cleans_up_if_the_profiler_was_killed_too() -> anyhow::Result<()> {
    let site = Site::new()?;
    let killed = site.load([""; 0]).fake("SERVICE_MS", 90_000).start()?;
    killed.scenario(ScenarioId::ApiStatus)?;
    let profiler = killed.profiler()?;
    signal(profiler, Signal::SIGSTOP)?;
    killed.signal(Signal::SIGKILL)?;
    signal(profiler, Signal::SIGKILL)?;
    let killed = killed.finish()?;
    soon("the scenarios have ended by themselves", || {
        let left = site.processes();
        let of_load = |line: &str| line.contains("--exact") || line.contains("cargo-nextest");
        (!left.iter().any(|process| of_load(&process.command_line))).then_some(())
    })?;
    let left = site.processes();
    assert!(left.iter().any(|process| process.command_line.contains("sky.server.server")));

    let next = site.load(["--api", "validate"]).run()?;
    next.expect(&site, Verdict::Pass)?;
    let dead = killed.run_dir()?;
    let note = format!("Cleaned up after run {}, which was killed: ", dead.id());
    next.assert().stderr(predicate::str::contains(note));
    assert!(!dead.instance().exists());
    Ok(())
}
