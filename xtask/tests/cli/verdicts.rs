//! Budgets that are exceeded, scenarios that fail, and both.

use predicates::prelude::{PredicateBooleanExt as _, predicate};
use rstest::rstest;
use skyload::analysis::{Severity, Verdict};
use skyload::scenario::ScenarioId;

use crate::support::{Settings, Site, assert_finding, scenario};

#[test]
fn a_budget_that_is_exceeded_is_named_by_report_and_gate() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--budget", "short-executor=8MiB"]).run()?;
    let report = run.expect(&site, Verdict::OverBudget)?;
    assert_finding(&report, Severity::OverBudget, "short-executor: 24.");
    assert_finding(&report, Severity::OverBudget, "budget 8.0 MiB (configured)");
    let gate = |word, case| {
        predicate::str::is_match(format!(r"gate: {word} .*within_budget::case_\d+_{case}"))
    };
    run.assert()
        .stdout(predicate::str::contains("OVER BUDGET: short-executor: 24."))
        .stderr(gate("FAIL", "short_executor")?)
        .stderr(gate("PASS", "long_executor")?)
        .stderr(predicate::str::is_match("gate: PASS .*measurements_are_valid")?);
    let junit = run.junit("gate")?;
    assert_eq!(junit.matches("<failure").count(), 1, "{junit}");
    assert!(junit.contains("over budget: short-executor: measured 24."), "{junit}");
    Ok(())
}

#[rstest]
#[case::failed("FAIL", 500, "ValueError")]
#[case::answered_with_text("TEXT_500", 500, "sqlite3.OperationalError")]
#[case::cancelled("CANCEL", 200, "cancelled")]
#[case::answered_wrongly("WRONG_VALUE", 200, "unexpected-response")]
fn failed_requests_are_counted_shown_and_measured(
    #[case] fault: &str,
    #[case] status: u16,
    #[case] error_type: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status", "-n", "6"]).fake(fault, "sky.status:3").run()?;
    let report = run.expect(&site, Verdict::ScenarioFailed)?;
    assert_finding(&report, Severity::ScenarioFailed, "api:status: 2 of 6 iterations failed");
    assert_finding(&report, Severity::ScenarioFailed, error_type);

    let failed = scenario(&report, ScenarioId::ApiStatus)?;
    let [kind] = &failed.failures[..] else { panic!("{:#?}", failed.failures) };
    assert_eq!((kind.count, kind.example.status), (2, Some(status)), "{kind:#?}");
    assert!(kind.example.error_type.contains(error_type), "{kind:#?}");
    let measured = failed.segments[0].iteration_duration.map(|iterations| iterations.count);
    assert_eq!(measured, Some(6), "failed iterations are in the statistics");

    let line = format!(r"\n +2x api:status: status\S*: HTTP {status} .*{error_type}.*\[error\]");
    run.assert().stdout(predicate::str::is_match(line)?);
    let junit = run.junit("load")?;
    assert_eq!(junit.matches("<failure").count(), 1, "{junit}");
    Ok(())
}

#[test]
fn a_failed_scenario_outweighs_an_exceeded_budget() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--budget", "long-executor=8MiB"]).fake("FAIL", "sky.status:1").run()?;
    let report = run.expect(&site, Verdict::ScenarioFailed)?;
    assert_finding(&report, Severity::ScenarioFailed, "api:status: 2 of 2 iterations failed");
    assert_finding(&report, Severity::OverBudget, "long-executor: 24.");
    Ok(())
}

#[test]
fn an_exceeded_latency_threshold_fails_its_scenario() -> anyhow::Result<()> {
    let site = Site::with(&Settings {
        more: r#"
            [thresholds."api:status"]
            p95 = "50ms"
            error-rate = "50%"
        "#,
        ..Settings::default()
    })?;
    let run = site.load(["--api", "status", "-n", "4"]).fake("FAIL", "sky.status:4").run()?;
    let report = run.expect(&site, Verdict::ScenarioFailed)?;
    assert_finding(&report, Severity::ScenarioFailed, "api:status p95: 0.");
    assert_finding(&report, Severity::ScenarioFailed, " s, threshold <= 50ms");
    run.assert().stdout(predicate::str::contains("iterations failed").not());
    let findings = &report.findings;
    let failures = findings.iter().filter(|finding| finding.severity != Severity::Note).count();
    assert_eq!(failures, 1, "one failure in four was permitted: {findings:#?}");
    Ok(())
}

#[rstest]
#[case::met(
    &["api:status p99.9 < 1m", "api:status step status/get max <= 1m", "api:status throughput > 0/s"],
    Verdict::Pass,
    &["PASS .*case_1_api_status_p99_9", "PASS .*case_2_api_status_step_status_get_max",
      "PASS .*case_3_api_status_throughput"],
)]
#[case::breached(
    &["api:status step status/get min > 1m", "api:status max < 1m"],
    Verdict::ScenarioFailed,
    &["FAIL .*case_1_api_status_step_status_get_min", "PASS .*case_2_api_status_max"],
)]
fn a_threshold_of_a_flag_is_judged_shown_and_a_case_of_the_gate(
    #[case] thresholds: &[&str],
    #[case] verdict: Verdict,
    #[case] cases: &[&str],
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let flags = thresholds.iter().flat_map(|text| ["--threshold", text]);
    let run = site.load(["--api", "status", "-n", "2"].into_iter().chain(flags)).run()?;
    let report = run.expect(&site, verdict)?;
    let checked: Vec<String> =
        report.thresholds.iter().map(|check| check.threshold.to_string()).collect();
    assert_eq!(checked, thresholds);
    let mut assert = run.assert().stdout(predicate::str::contains("THRESHOLDS"));
    for case in cases {
        let line = format!("gate: {}", case.replace(".*", ".*within_threshold::"));
        assert = assert.stderr(predicate::str::is_match(line)?);
    }
    Ok(())
}
