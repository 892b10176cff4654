//! Loads that last for a time: warm-up, dropped arrivals and interrupted iterations.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::{Evidence, Report, Severity, Verdict};
use skyload::record::outcome::{Ended, Latencies, SegmentKind, SegmentOutcome};
use skyload::record::request::LoadRequest;
use skyload::render::markdown;
use skyload::render::text::{self, Detail};
use skyload::scenario::ScenarioId::ApiStatus;
use skyload::shape::{LoadShape, Model, Pause, StageList, Timed};

use super::evidence::{LOAD_BEGAN, at, four_users, good_run};

/// First stage of a load.
fn stage(text: &str) -> SegmentKind {
    SegmentKind::Stage { number: 1, text: text.to_owned() }
}

/// Segment whose iterations all took this time.
fn segment(kind: SegmentKind, millis: u64, iterations: u64) -> SegmentOutcome {
    let mut latencies = Latencies::default();
    (0..iterations).for_each(|_| latencies.record(Duration::from_millis(millis)));
    SegmentOutcome {
        kind,
        ended: at(LOAD_BEGAN + 4_000),
        succeeded: iterations,
        iteration_duration: latencies,
        ..SegmentOutcome::begin(at(LOAD_BEGAN), iterations)
    }
}

/// Run with a slow warm-up and a fast stage.
pub(super) fn with_warm_up() -> Evidence {
    let mut run = good_run(&four_users());
    let outcome = run.outcomes.get_mut(&ApiStatus).expect("the test's data is valid");
    let stage = stage("4 for 1m");
    outcome.segments = vec![segment(SegmentKind::WarmUp, 9_000, 4), segment(stage, 100, 100)];
    run.plan.thresholds = vec!["api:status max <= 1s".parse().expect("the test's data is valid")];
    run
}

#[test]
fn latencies_of_a_warm_up_count_for_no_threshold() {
    let mut run = with_warm_up();
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.findings);
    let latency = report.scenarios[0].iteration_duration.unwrap();
    assert_eq!((latency.count, latency.max < Duration::from_secs(1)), (100, true));
    // As a stage it would count.
    run.outcomes.get_mut(&ApiStatus).unwrap().segments[0].kind = stage("4 in 1m");
    assert_eq!(Report::assemble(&run).verdict, Verdict::ScenarioFailed);
}

#[test]
fn failures_of_a_warm_up_fail_the_scenario() {
    let mut run = with_warm_up();
    let warm_up = &mut run.outcomes.get_mut(&ApiStatus).unwrap().segments[0];
    (warm_up.succeeded, warm_up.failed) = (3, 1);
    assert_eq!(Report::assemble(&run).verdict, Verdict::ScenarioFailed);
}

#[test]
fn dropped_and_interrupted_iterations_are_shown_and_are_no_failures() {
    let mut run = good_run(&four_users());
    let outcome = run.outcomes.get_mut(&ApiStatus).unwrap();
    let mut stage = segment(stage("20/s for 5s"), 100, 90);
    (stage.scheduled, stage.dropped, stage.interrupted) = (100, Some(7), 3);
    outcome.segments = vec![stage];
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.findings);
    for expected in ["7 of 100 arrivals dropped", "3 of 100 iterations interrupted"] {
        let found = report.findings.iter().find(|finding| finding.message.contains(expected));
        assert_eq!(found.unwrap().severity, Severity::Note, "{:#?}", report.findings);
    }
    let mut out = Vec::new();
    text::render(&report, Detail::Full, None, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let row = text.lines().find(|line| line.contains("20/s for 5s")).unwrap();
    assert!(text.contains("dropped  interrupted") && row.contains(" 90/100 "), "{text}");
}

#[test]
fn a_load_whose_iterations_were_all_lost_has_no_result() {
    let mut run = good_run(&four_users());
    let outcome = run.outcomes.get_mut(&ApiStatus).unwrap();
    let mut stage = segment(stage("20/s for 5s"), 100, 0);
    (stage.scheduled, stage.dropped, stage.interrupted) = (100, Some(97), 3);
    outcome.segments = vec![stage];
    assert_eq!(Report::assemble(&run).verdict, Verdict::Inconclusive);
}

#[test]
fn a_threshold_on_errors_allows_those_of_all_stages_together() {
    let mut run = with_warm_up();
    let stage = &mut run.outcomes.get_mut(&ApiStatus).unwrap().segments[1];
    (stage.succeeded, stage.failed) = (99, 1);
    assert_eq!(Report::assemble(&run).verdict, Verdict::ScenarioFailed);
    run.plan.thresholds = vec!["api:status error-rate <= 2%".parse().unwrap()];
    assert_eq!(Report::assemble(&run).verdict, Verdict::Pass);
}

#[rstest]
#[case::a_stage("api:status stage 1 max <= 1s", Verdict::Pass)]
#[case::a_slow_stage("api:status stage 1 max < 100ms", Verdict::ScenarioFailed)]
#[case::few_dropped("api:status dropped <= 7", Verdict::Pass)]
#[case::many_dropped("api:status dropped < 7", Verdict::ScenarioFailed)]
#[case::throughput("api:status throughput >= 20/s", Verdict::Pass)]
#[case::little_throughput("api:status throughput > 30/s", Verdict::ScenarioFailed)]
fn thresholds_limit_stages_and_dropped_arrivals(#[case] text: &str, #[case] verdict: Verdict) {
    let mut run = good_run(&four_users());
    let mut stage = segment(stage("20/s for 5s"), 100, 93);
    (stage.scheduled, stage.dropped) = (100, Some(7));
    run.outcomes.get_mut(&ApiStatus).unwrap().segments = vec![stage];
    run.plan.thresholds = vec![text.parse().unwrap()];
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, verdict, "{:#?}", report.thresholds);
}

#[rstest]
#[case::few(10, None, Verdict::Pass)]
#[case::many(11, None, Verdict::Inconclusive)]
#[case::as_many_as_a_threshold_allows(50, Some("api:status dropped <= 50"), Verdict::Pass)]
#[case::a_threshold_on_a_stage(50, Some("api:status stage 1 dropped <= 50"), Verdict::Inconclusive)]
#[case::a_lower_limit(50, Some("api:status dropped > 0"), Verdict::Inconclusive)]
#[case::more_than_a_threshold_allows(51, Some("api:status dropped <= 50"), Verdict::ScenarioFailed)]
fn many_dropped_arrivals_make_a_run_inconclusive(
    #[case] dropped: u64,
    #[case] threshold: Option<&str>,
    #[case] verdict: Verdict,
) {
    let mut run = good_run(&four_users());
    let mut stage = segment(stage("20/s for 5s"), 100, 100 - dropped);
    (stage.scheduled, stage.dropped) = (100, Some(dropped));
    run.outcomes.get_mut(&ApiStatus).unwrap().segments = vec![stage];
    run.plan.thresholds = threshold.map(|text| text.parse().unwrap()).into_iter().collect();
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, verdict, "{:#?}", report.findings);
}

#[test]
fn a_scenario_that_reached_its_time_limit_names_all_of_it() {
    let time = Some("1h".to_owned());
    let mut run = good_run(&LoadRequest { time, iterations: None, ..four_users() });
    run.outcomes.get_mut(&ApiStatus).unwrap().ended = Ended::TimedOut;
    let report = Report::assemble(&run);
    let failed = report.messages(Severity::ScenarioFailed).join("\n");
    assert!(failed.contains("time limit of 1h 15m 30s reached"), "{failed}");
}

#[test]
fn a_stage_without_an_iteration_makes_a_run_inconclusive() {
    let mut run = with_warm_up();
    let StageList::Users(stages) = "4 for 1m, 4 in 1m, 0 for 1m".parse().unwrap() else {
        panic!("stages of users")
    };
    let planned = run.plan.scenarios.iter_mut().find(|planned| planned.id == ApiStatus).unwrap();
    planned.shape = LoadShape::Timed(Timed {
        model: Model::Users { stages, pause: Pause::default() },
        warm_up: Duration::ZERO,
        graceful_stop: Duration::from_secs(30),
    });
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::Inconclusive, "{:#?}", report.findings);
    // The third one has no users.
    let messages: Vec<&str> = report.findings.iter().map(|it| it.message.as_str()).collect();
    assert!(messages.contains(&"api:status: no iteration in stage 2 (`4 in 1m`)"), "{messages:?}");
}

#[test]
fn an_error_rate_of_a_stage_is_a_limit_of_its_own() {
    let mut run = with_warm_up();
    let stage = &mut run.outcomes.get_mut(&ApiStatus).unwrap().segments[1];
    (stage.succeeded, stage.failed) = (40, 60);
    let limits = ["api:status error-rate <= 90%", "api:status stage 1 error-rate <= 50%"];
    run.plan.thresholds = limits[..1].iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(Report::assemble(&run).verdict, Verdict::Pass);
    run.plan.thresholds = limits.iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(Report::assemble(&run).verdict, Verdict::ScenarioFailed);
}

/// Run with a warm-up, a stage with most iterations and a short end, each with two steps.
fn with_stages() -> Evidence {
    let mut run = with_warm_up();
    run.plan.thresholds.clear();
    let stage = |number, text: &str| SegmentKind::Stage { number, text: text.to_owned() };
    let mut segments = vec![
        segment(SegmentKind::WarmUp, 9_000, 4),
        segment(stage(1, "20/s for 5s"), 2_000, 100),
        segment(stage(2, "0/s in 1s"), 7_000, 3),
    ];
    for segment in &mut segments {
        for step in ["status/get", "status/submit"] {
            segment.steps.insert(step.to_owned(), segment.iteration_duration.clone());
        }
    }
    run.outcomes.get_mut(&ApiStatus).expect("the test's data is valid").segments = segments;
    run
}

fn in_text(report: &Report, detail: Detail) -> String {
    let mut out = Vec::new();
    text::render(report, detail, None, &mut out).expect("memory takes every write");
    String::from_utf8(out).expect("reports are UTF-8")
}

/// Line of `text` that contains `part`, as words.
fn words<'a>(text: &'a str, part: &str) -> Vec<&'a str> {
    let line = text.lines().find(|line| line.contains(part));
    line.unwrap_or_else(|| panic!("no `{part}` in:\n{text}")).split_whitespace().collect()
}

#[test]
fn markdown_has_the_whole_of_a_load_in_stages() {
    let mut out = Vec::new();
    markdown::render(&Report::assemble(&with_stages()), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let row = words(&text, "| api:status |");
    assert_eq!(row[7..12], ["2.00", "|", "2.00", "|", "7.00"], "p50, p95, p99 of all stages");
    assert!(text.contains("\nLatency per iteration, in seconds.\n"), "{text}");
}

#[test]
fn steps_are_those_of_the_stage_with_most_iterations() {
    let text = in_text(&Report::assemble(&with_stages()), Detail::Full);
    let (_, steps) = text.split_once("LATENCY per step").unwrap();
    assert_eq!(words(steps, "status/get")[2], "100");
    assert!(
        steps.contains("api:status: stage `20/s for 5s`, which has the most iterations"),
        "{steps}"
    );
}

#[test]
fn the_median_of_a_load_in_stages_is_neither_cold_nor_warm() {
    let text = in_text(&Report::assemble(&with_stages()), Detail::Compact);
    let headings = words(&text, "users  iterations");
    assert_eq!(headings[3..], ["failed", "p50", "p95", "max", "status"]);
    assert_eq!(words(&text, "  api:status ")[4], "2.00");
    assert!(!text.contains("cold:"), "{text}");
}

#[test]
fn bursts_beside_stages_keep_their_cold_median() {
    let request =
        LoadRequest { api: vec!["status".to_owned(), "validate".to_owned()], ..four_users() };
    let mut run = good_run(&request);
    run.outcomes.get_mut(&ApiStatus).unwrap().segments =
        with_stages().outcomes.remove(&ApiStatus).unwrap().segments;
    let text = in_text(&Report::assemble(&run), Detail::Compact);
    let headings = words(&text, "users  iterations");
    assert_eq!(headings[4..], ["cold", "p50", "warm", "p50", "p50", "p95", "max", "status"]);
    assert_eq!(words(&text, "  api:status ")[4..7], ["2.00", "2.00", "7.00"]);
    assert_eq!(words(&text, "  api:validate ")[4..7], ["2.00", "-", "2.00"]);
}

#[test]
fn an_arrival_rate_has_no_users() {
    let mut run = good_run(&four_users());
    let rate = SegmentOutcome { dropped: Some(0), ..segment(stage("20/s for 5s"), 100, 100) };
    run.outcomes.get_mut(&ApiStatus).unwrap().segments = vec![rate];
    let text = in_text(&Report::assemble(&run), Detail::Compact);
    assert_eq!(words(&text, "  api:status ")[..3], ["api:status", "-", "100"]);
}
