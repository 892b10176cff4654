//! JUnit report, for CI systems that show results by test case.
//!
//! Budgets, scenarios and thresholds are a test case each; two more are about the run as a whole.
//! A failed case is a limit that was exceeded or a scenario that failed. A case with an error is
//! inconclusive: its measurements are incomplete or not valid. A budget or threshold
//! without anything to check is skipped. The file has no failures and no errors exactly if the verdict is `PASS`.

use std::io::{self, Write};

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::analysis::{
    About, Finding, LimitCheck, LimitState, Report, ScenarioReport, ScenarioState, Severity,
    ThresholdCheck, ThresholdState,
};
use crate::metric::{Amount, ClassMetric, Metric, ScenarioMetric, Subject, ThresholdOwner};
use crate::render::format::budget_flag;
use crate::shell;
use crate::units::total;

/// Hint for inconclusive cases.
const INCONCLUSIVE_HINT: &str = "hint: inconclusive, no failure of the server; repeat the run";

/// Writes the JUnit file.
pub fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut file = quick_junit::Report::new(format!("skyload {}", report.run));
    if let Some(duration) = report.duration {
        file.set_time(duration);
    }
    let suites = [
        ("budgets", report.budgets.iter().map(|check| of_budget(report, check)).collect()),
        ("scenarios", report.scenarios.iter().map(|one| of_scenario(report, one)).collect()),
        ("thresholds", report.thresholds.iter().map(|check| of_threshold(report, check)).collect()),
        ("run", of_run(report)),
    ];
    for (name, cases) in suites {
        let cases: Vec<TestCase> = cases;
        if cases.is_empty() {
            continue;
        }
        let mut suite = TestSuite::new(name);
        suite.add_property(("run", report.run.as_str()));
        suite.add_property(("plan", report.plan.name.as_str()));
        if let Some(environment) = &report.environment {
            suite.add_property(("skypilot", environment.sky.version.as_str()));
            if let Some(source) = &environment.sky.source {
                suite.add_property(("skypilot-source", source.in_words().as_str()));
            }
        }
        suite.add_test_cases(cases.into_iter().map(|mut case| {
            // CI systems group test cases by class name.
            case.set_classname(format!("skyload.{name}"));
            case
        }));
        file.add_test_suite(suite);
    }
    file.serialize(&mut *out).map_err(io::Error::other)
}

fn of_budget(report: &Report, check: &LimitCheck) -> TestCase {
    let metric = check.metric;
    let about = About::Metric(metric);
    let hint = match metric {
        Metric::Class(_, ClassMetric::MaxPeak) => {
            format!(
                "hint: `cargo xtask report {}` shows growth by class",
                shell::word(&report.name)
            )
        }
        _ => format!(
            "hint: set another limit for one run with {}",
            budget_flag(metric, metric.unit().example())
        ),
    };
    let default = match check.state {
        LimitState::Within => TestCaseStatus::success(),
        LimitState::Skipped => skipped("no process of this class ran"),
        LimitState::NoConstant => skipped("this SkyPilot has no constant for the budget"),
        LimitState::Over => failed(NonSuccessKind::Failure, "over budget"),
        LimitState::LimitUnknown => failed(NonSuccessKind::Error, "budget unknown"),
        LimitState::NotMeasured => failed(NonSuccessKind::Error, "not measured"),
        LimitState::Undecided => failed(NonSuccessKind::Error, "undecided"),
    };
    let status = status(report, Some(&about), &hint, default);
    let text = |amount: Option<String>| amount.unwrap_or_else(|| "-".to_owned());
    let mut case = TestCase::new(metric.to_string(), status);
    case.set_system_out(format!(
        "measured {}{}, budget {} ({})",
        if report.is_lower_bound(metric) { ">=" } else { "" },
        text(check.measured_text()),
        text(check.limit.map(|limit| limit.to_string())),
        check.source
    ));
    case
}

fn of_scenario(report: &Report, scenario: &ScenarioReport) -> TestCase {
    let default = match scenario.state {
        ScenarioState::Succeeded => TestCaseStatus::success(),
        ScenarioState::Failed => failed(NonSuccessKind::Failure, "too many iterations failed"),
        ScenarioState::Stopped => {
            failed(NonSuccessKind::Error, "stopped before all iterations ran")
        }
        ScenarioState::NoResult => failed(NonSuccessKind::Error, "no result"),
        ScenarioState::ClientFailed => failed(NonSuccessKind::Error, "the load generator failed"),
    };
    let hint = "hint: errors by type are in report.md, output of the scenario's process in \
                load.log";
    let about = About::Scenario(scenario.id);
    let mut case =
        TestCase::new(scenario.id.to_string(), status(report, Some(&about), hint, default));
    case.set_time(total(
        scenario.segments.iter().map(|segment| segment.ended.since(segment.began)),
    ));
    let mut figures = format!("{} iterations, {} failed", scenario.completed(), scenario.failed());
    if scenario.client_failed() > 0 {
        figures
            .push_str(&format!(", {} more failed in the load generator", scenario.client_failed()));
    }
    figures.push('\n');
    for segment in &scenario.segments {
        let percentiles =
            [ScenarioMetric::P50, ScenarioMetric::P95, ScenarioMetric::P99, ScenarioMetric::P999];
        let latencies = percentiles.map(|statistic| {
            let latency = segment.iteration_duration?.shown(statistic)?;
            Some(format!("{} {}", statistic.row().name, Amount::Duration(latency)))
        });
        let latencies: Vec<String> = latencies.into_iter().flatten().collect();
        if !latencies.is_empty() {
            let name = scenario.segment_name(segment);
            figures.push_str(&format!("{name}: {}\n", latencies.join(", ")));
        }
    }
    case.set_system_out(figures);
    case
}

fn of_threshold(report: &Report, check: &ThresholdCheck) -> TestCase {
    let threshold = &check.threshold;
    let default = match check.state {
        ThresholdState::Met => TestCaseStatus::success(),
        ThresholdState::Breached => failed(NonSuccessKind::Failure, "threshold breached"),
        ThresholdState::OtherUnit => failed(NonSuccessKind::Error, "limit in another unit"),
        ThresholdState::Incomplete => {
            failed(NonSuccessKind::Error, "not decided by the server's metrics")
        }
        state => skipped(state.skipped().unwrap_or_default()),
    };
    let owner = match threshold.metric.subject {
        Subject::Scenario(id, _) => ThresholdOwner::Scenario(id),
        Subject::Server(_) => ThresholdOwner::Server,
    };
    // The findings on the scenario count its failed iterations.
    let about = match owner {
        ThresholdOwner::Scenario(id)
            if threshold.limits_errors() && check.state == ThresholdState::Breached =>
        {
            About::Scenario(id)
        }
        _ => About::Threshold(threshold.clone()),
    };
    let hint = format!(
        "hint: the threshold is set by --threshold or in [thresholds.\"{owner}\"] of skyload.toml"
    );
    let mut case =
        TestCase::new(threshold.to_string(), status(report, Some(&about), &hint, default));
    let measured = check.measured_text().unwrap_or_else(|| "-".to_owned());
    let (sign, limit) = (threshold.comparison.sign(), threshold.limit.typed());
    case.set_system_out(format!("measured {measured}, threshold {sign} {limit}"));
    case
}

/// Test cases of the run as a whole: setup and teardown of shared resources, the size of the
/// server, and validity of the measurements.
fn of_run(report: &Report) -> Vec<TestCase> {
    let of = |severity: Severity| {
        let about_run =
            |finding: &&Finding| finding.severity == severity && !has_case(report, finding);
        report.findings.iter().filter(about_run).collect::<Vec<_>>()
    };
    let cases = [
        (
            "setup and teardown",
            of(Severity::ScenarioFailed),
            "hint: see SETUP AND TEARDOWN in the report; names of remaining resources begin with \
             skyload-",
        ),
        (
            "server size",
            of(Severity::OverBudget),
            "hint: the size is set by --size, or by `size` of a plan",
        ),
        ("measurements valid", of(Severity::Inconclusive), INCONCLUSIVE_HINT),
    ];
    cases
        .into_iter()
        .map(|(name, findings, hint)| {
            TestCase::new(
                name,
                of_findings(&findings, hint).unwrap_or_else(TestCaseStatus::success),
            )
        })
        .collect()
}

/// Whether a finding belongs to the test case of a budget, threshold or scenario. A finding about
/// a metric without a limit belongs to the run.
fn has_case(report: &Report, finding: &Finding) -> bool {
    match &finding.about {
        None => false,
        Some(About::Metric(metric)) => report.budgets.iter().any(|check| check.metric == *metric),
        Some(About::Threshold(threshold)) => {
            report.thresholds.iter().any(|check| check.threshold == *threshold)
        }
        Some(About::Scenario(id)) => report.scenarios.iter().any(|scenario| scenario.id == *id),
    }
}

/// Status of a test case by the findings about it; `default` without findings.
fn status(
    report: &Report,
    about: Option<&About>,
    hint: &str,
    default: TestCaseStatus,
) -> TestCaseStatus {
    let about_it =
        |finding: &&Finding| finding.about.as_ref() == about && finding.severity != Severity::Note;
    let findings: Vec<&Finding> = report.findings.iter().filter(about_it).collect();
    // Findings take precedence, as in the verdict: a budget that is met may be inconclusive.
    of_findings(&findings, hint).unwrap_or(default)
}

/// Status by findings, which are sorted by severity; `None` without any but notes.
fn of_findings(findings: &[&Finding], hint: &str) -> Option<TestCaseStatus> {
    let first = findings.first()?;
    let (kind, hint) = match first.severity {
        Severity::ScenarioFailed | Severity::OverBudget => (NonSuccessKind::Failure, hint),
        Severity::Inconclusive => (NonSuccessKind::Error, INCONCLUSIVE_HINT),
        Severity::Note => return None,
    };
    let mut status = failed(kind, &first.message);
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    status
        .set_type(first.severity.name())
        .set_description(format!("{}\n{hint}", messages.join("\n")));
    Some(status)
}

fn failed(kind: NonSuccessKind, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    status
}

fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}
