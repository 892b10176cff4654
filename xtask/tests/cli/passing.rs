//! Runs that pass.

use std::fs;

use predicates::prelude::predicate;
use skyload::analysis::{ScenarioState, Severity, Verdict};
use skyload::class::ProcessClass;
use skyload::record::profile::Phase;
use skyload::scenario::{Scenario, ScenarioId};
use skyload::units::as_mib;

use crate::support::{Site, assert_finding};

const EXECUTOR_MIB: f64 = 40.0;

/// Upstream's block, with its labels and their order.
const MONITORING_SUMMARY: &str = r"={50}
MONITORING SUMMARY
={50}
Duration: \d+\.\d seconds \(\d+\.\d\d hours\)

BASELINE USAGE:
Baseline CPU: \d+\.\d%
Baseline Memory: \d+\.\d\dGB \(\d+\.\d%\)

PEAK USAGE:
Peak CPU: \d+\.\d%
Peak Memory: \d+\.\d\dGB \(\d+\.\d%\)
Memory Delta: -?\d+\.\dGB
Peak Non-blocking Executor Memory: 0\.04GB
Peak Non-blocking Executor Memory Average: 0\.0\dGB
Peak Blocking Executor Memory: 0\.04GB
Peak Blocking Executor Memory Average: 0\.0\dGB

AVERAGE USAGE:
Average CPU: \d+\.\d%
Average Memory: \d+\.\d%
={50}
";

#[test]
fn a_run_within_its_budgets_passes() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site
        .load(["--api", "all", "-r", "all", "-n", "2", "--iterations", "2"])
        .fake("EXECUTOR_MIB", EXECUTOR_MIB)
        .run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    run.assert().stdout(predicate::str::is_match(MONITORING_SUMMARY)?);

    let reported: Vec<_> = report.scenarios.iter().map(|scenario| scenario.id).collect();
    let without_infra = |id: &ScenarioId| id.is_in_all() && !Scenario::of(*id).takes_infra();
    let expected: Vec<_> = ScenarioId::ALL.into_iter().filter(without_infra).collect();
    assert_eq!(reported, expected, "Slurm needs a Python program, which the stand-in is not");
    for scenario in &report.scenarios {
        let (id, state) = (scenario.id, scenario.state);
        assert_eq!(state, ScenarioState::Succeeded, "{id}: {:?}", scenario.failures);
        let iterations = u64::from(scenario.users) * 2;
        assert!(
            scenario.completed() == iterations || id == ScenarioId::ProbeHealth,
            "{scenario:#?}"
        );
        assert!(
            scenario.segments.iter().all(|segment| segment.iteration_duration.is_some()),
            "{scenario:#?}"
        );
    }
    let phases: Vec<_> = report.phases.iter().map(|span| span.phase).collect();
    assert_eq!(phases, [Phase::Baseline, Phase::Load, Phase::Cooldown]);

    let memory = report.memory.as_ref().expect("the server was profiled");
    for class in [ProcessClass::ShortExecutor, ProcessClass::LongExecutor] {
        let figures = memory.class(class).expect("its executors ran");
        let peak = as_mib(figures.peak.expect("their peaks were read"));
        assert!((EXECUTOR_MIB..EXECUTOR_MIB + 4.0).contains(&peak), "{class}: {peak} MiB");
    }
    let scenarios = run.junit("load")?.matches("<testcase ").count();
    assert_eq!(scenarios, expected.len());
    Ok(())
}

#[test]
fn a_skipped_budget_is_noted() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site
        .load(["--api", "validate"])
        .fake("CONSTANTS", r#"{"SHORT_WORKER_MEM_GB": 0.3, "LONG_WORKER_MEM_GB": 0.4}"#)
        .run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    assert_finding(&report, Severity::Note, "budget skipped, no such process: long-executor");
    assert_finding(
        &report,
        Severity::Note,
        "server: budget skipped, this SkyPilot has no constant for it",
    );
    Ok(())
}

#[test]
fn an_incomplete_cleanup_record_stops_no_run() -> anyhow::Result<()> {
    let site = Site::new()?;
    // A record is written to a temporary file and renamed: a SIGKILL in between leaves this.
    let records = site.path("state/custody");
    fs::create_dir_all(&records)?;
    let incomplete = records.join(".tmpA1b2C3");
    fs::write(&incomplete, "{")?;
    let run = site.load(["--api", "validate"]).run()?;
    fs::remove_file(&incomplete)?;
    run.expect(&site, Verdict::Pass)?;
    Ok(())
}
