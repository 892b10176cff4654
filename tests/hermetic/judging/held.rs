//! Held connections in reports and findings.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::{Evidence, Report, Severity, Verdict};
use skyload::record::outcome::{Failure, SegmentOutcome};
use skyload::record::request::LoadRequest;
use skyload::render::html;
use skyload::render::text::{self, Detail};
use skyload::scenario::ScenarioId::HoldStream;

use super::evidence::{four_users, good_run};

/// Run of `api:status` beside three held connections, whose first lines came after 1, 2 and 3 s.
fn held() -> Evidence {
    let request = LoadRequest { hold: vec!["stream=3".to_owned()], ..four_users() };
    let mut run = good_run(&request);
    let segment = segment(&mut run);
    for second in 1..=3 {
        for (step, millis) in [("connect", 10), ("first-line", second * 1_000), ("gap", 5_000)] {
            let step = segment.steps.entry(step.to_owned()).or_default();
            step.record(Duration::from_millis(millis));
        }
    }
    run
}

fn segment(run: &mut Evidence) -> &mut SegmentOutcome {
    &mut run.outcomes.get_mut(&HoldStream).expect("it is planned").segments[0]
}

/// Loses a connection of the run, whose user connects again.
fn lose_one(run: &mut Evidence) {
    let segment = segment(run);
    (segment.scheduled, segment.failed, segment.retries) = (4, 1, 1);
    let failure = Failure {
        step: "stream".to_owned(),
        status: Some(200),
        error_type: "stream-ended".to_owned(),
        message: "the server ended the stream".to_owned(),
    };
    segment.tally.add(segment.began, failure, None);
}

fn in_text(report: &Report, detail: Detail) -> String {
    let mut text = Vec::new();
    text::render(report, detail, None, &mut text).expect("memory is enough");
    String::from_utf8(text).expect("it is text")
}

#[test]
fn connections_have_a_line_beside_the_scenarios_and_rows_in_full() {
    let report = Report::assemble(&held());
    assert_eq!(report.verdict, Verdict::Pass, "{:#?}", report.findings);
    let text = in_text(&report, Detail::Compact);
    let line = "  hold:stream: 3 connections, 0 failed, 0 reconnects, first-line max \
                3.00, gap max 5.00\n";
    assert!(text.contains(line), "{text}");
    assert!(!text.contains("  hold:stream  "), "no row among the iterations of users:\n{text}");
    let full = in_text(&report, Detail::Full);
    assert!(full.contains("hold:stream  first-line"), "{full}");
    let mut page = Vec::new();
    let data = skyload::analysis::ChartData::assemble(&report, &held());
    html::render(&report, &data, &mut page).expect("memory is enough");
    let page = String::from_utf8(page).expect("it is text");
    assert!(page.contains("held connections"), "a key figure");
}

#[test]
fn a_lost_connection_fails_the_run_and_the_reconnect_is_a_note() {
    let mut run = held();
    lose_one(&mut run);
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::ScenarioFailed);
    let messages = |severity| report.messages(severity).join("\n");
    let failed = messages(Severity::ScenarioFailed);
    assert!(
        failed.contains("hold:stream: 1 of 4 iterations failed; 1x stream: HTTP 200 stream-ended"),
        "{failed}"
    );
    let notes = messages(Severity::Note);
    assert!(
        notes.contains("hold:stream: 1x reconnected after the loss of a connection"),
        "{notes}"
    );
}

#[rstest]
#[case::some_lost("hold:stream error-rate <= 25%", Verdict::Pass)]
#[case::first_line_in_time("hold:stream step first-line max < 4s", Verdict::Pass)]
#[case::late_first_line("hold:stream step first-line p95 < 3s", Verdict::ScenarioFailed)]
#[case::long_gap("hold:stream step gap max < 4s", Verdict::ScenarioFailed)]
fn thresholds_limit_connections_and_their_steps(#[case] threshold: &str, #[case] verdict: Verdict) {
    let mut run = held();
    if threshold.contains("error-rate") {
        lose_one(&mut run);
    }
    run.plan.thresholds = vec![threshold.parse().expect("a threshold")];
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, verdict, "{:#?}", report.findings);
}

#[test]
fn connections_without_a_line_make_the_run_inconclusive() {
    let mut run = held();
    let segment = segment(&mut run);
    (segment.succeeded, segment.interrupted) = (2, 1);
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::Inconclusive);
    let message = report.messages(Severity::Inconclusive).join("\n");
    assert!(
        message.contains("hold:stream: 1 of 3 connections had no line until the end"),
        "{message}"
    );
}
