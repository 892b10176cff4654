//! Text report, compact and full.

use std::time::Duration;

use skyload::analysis::{Evidence, Report};
use skyload::class::ProcessClass;
use skyload::metric::{Abort, Amount, Metric, ServerMetric};
use skyload::record::events::{Event, StopReason};
use skyload::record::outcome::{Ended, Failure, LoadGeneratorOverhead, SegmentOutcome};
use skyload::record::profile::{
    ClassSnapshot, Ending, Phase, PhasePeaks, ProfileLine, ProfilerLevel, Window,
};
use skyload::record::request::LoadRequest;
use skyload::render::text::{self, Detail};
use skyload::scenario::Group;
use skyload::scenario::ScenarioId::{CliStatus, ProbeHealth};
use skyload::units::ByteSize;

use super::changes::Change;
use super::evidence::{ALL_ENDED, LOAD_ENDED, at, four_users, good_run, run_with_only_a_plan};

fn rendered(evidence: &Evidence) -> String {
    rendered_with(evidence, Detail::Full)
}

pub(super) fn rendered_with(evidence: &Evidence, detail: Detail) -> String {
    let mut text = Vec::new();
    text::render(&Report::assemble(evidence), detail, None, &mut text)
        .expect("writing to memory cannot fail");
    String::from_utf8(text).expect("output is UTF-8")
}

#[test]
fn the_text_begins_with_upstreams_summary() {
    insta::assert_snapshot!(rendered(&good_run(&four_users())));
}

#[test]
fn failures_of_the_load_generator_are_no_errors_of_the_server() {
    let mut run = good_run(&four_users());
    run.load_generator_fails(2);
    let text = rendered(&run);
    assert!(text.contains("[load generator's own, says nothing about the server]"), "{text}");
    let row = text.lines().find(|line| line.trim_start().starts_with("api:status")).unwrap();
    assert!(row.contains(" 2/4 ") && row.contains(" 0 + 2 generator "), "{row}");
}

#[test]
fn a_run_without_a_server_is_rendered() {
    insta::assert_snapshot!(rendered(&run_with_only_a_plan()));
}

/// Evidence of a run with contents for every section of the report.
pub(crate) fn eventful_run() -> Evidence {
    let request = LoadRequest { cli: vec!["status".to_owned()], ..four_users() };
    let mut run = good_run(&request);
    run.fail_iterations(1);
    add_expected_error(&mut run);
    let mut warm = SegmentOutcome::begin(at(7_000), 4);
    (warm.ended, warm.succeeded) = (at(9_000), 3);
    for iteration in 1..=3 {
        warm.iteration_duration.record(Duration::from_millis(iteration * 90));
        for (step, share) in [("health", 10), ("status/submit", 20), ("status/get", 60)] {
            warm.steps
                .entry(step.to_owned())
                .or_default()
                .record(Duration::from_millis(iteration * share));
        }
    }
    let status = run.status();
    status.segments.push(warm);
    status.ended = Ended::TimedOut;
    let sky = run.outcomes.get_mut(&CliStatus).expect("the scenario is planned");
    sky.cost = LoadGeneratorOverhead {
        own_cpu: Duration::from_millis(400),
        own_peak: ByteSize::mib(20),
        children_cpu: Duration::from_secs(7),
        largest_child: Some(ByteSize::mib(158)),
    };
    run.outcomes.remove(&ProbeHealth);
    run.record(3).ending = Ending::Unread { unseen: None };
    run.limit(ServerMetric::TreeRss, ByteSize::mib(500));
    run.limit(ServerMetric::Growth, ByteSize::mib(200));
    run.limit(ServerMetric::Threads, Amount::Count(12));
    run.limit(ServerMetric::LeakedProcesses, Amount::Count(2));
    let cooldown = run.snapshot(Phase::Cooldown);
    cooldown.unread = 1;
    let short = cooldown.classes[&ProcessClass::ShortExecutor];
    let long = ClassSnapshot { pss: ByteSize::mib(150), uss: ByteSize::mib(120), ..short };
    cooldown.classes.insert(ProcessClass::LongExecutor, long);
    run.zombies_from(LOAD_ENDED, 2);
    run.environment.as_mut().expect("a good run has one").sky.constants.server = None;
    run.happens(ALL_ENDED, Event::LeakedProcesses(["a", "b", "a"].map(str::to_owned).to_vec()));
    run
}

fn add_expected_error(run: &mut Evidence) {
    let segment =
        &mut run.outcomes.get_mut(&CliStatus).expect("the scenario is planned").segments[0];
    (segment.succeeded, segment.expected_errors) = (segment.succeeded - 1, 1);
    let error = Failure {
        step: "sky.serve.status".to_owned(),
        status: Some(500),
        error_type: "RuntimeError".to_owned(),
        message: "network error".to_owned(),
    };
    segment.tally.add(segment.began, error, Some("it asks public addresses"));
}

#[test]
fn an_eventful_run_has_every_section() {
    insta::assert_snapshot!(rendered(&eventful_run()));
}

#[test]
fn an_interrupted_run_has_its_measurements() {
    let mut run = good_run(&four_users());
    run.happens(6_000, Event::LoadStopped(StopReason::Interrupted));
    run.silence(6_200, ALL_ENDED + 1);
    for outcome in run.outcomes.values_mut() {
        outcome.ended = Ended::Stopped;
    }
    run.segment().succeeded = 2;
    insta::assert_snapshot!(rendered(&run));
}

#[test]
fn sampled_peaks_are_marked_as_sampled() {
    let mut run = good_run(&four_users());
    for line in &mut run.profile {
        if let ProfileLine::Header(header) = line {
            header.level = ProfilerLevel::SampledRss;
        }
    }
    assert!(rendered(&run).contains("in MiB (sampled RSS, short peaks are missed)"));
}

#[test]
fn a_profile_without_kernel_events_is_marked_as_incomplete() {
    let mut run = good_run(&four_users());
    let Some(ProfileLine::Header(header)) = run.profile.first_mut() else { panic!("a header") };
    (header.level, header.kernel_events) = (ProfilerLevel::HighWaterMarkOfAnother, false);
    let text = rendered(&run);
    assert!(text.contains("processes of another user, no PSS; processes between two samples"));
}

#[test]
fn peaks_of_phases_and_groups_are_in_one_table() {
    let mut run = good_run(&four_users());
    let peaks = |window, sizes: &[(ProcessClass, u64)], not_reset| {
        let classes = sizes.iter().map(|&(class, size)| (class, ByteSize::mib(size))).collect();
        ProfileLine::PhasePeaks(PhasePeaks { at: at(LOAD_ENDED), window, classes, not_reset })
    };
    let (server, short) = (ProcessClass::Server, ProcessClass::ShortExecutor);
    run.profile.extend([
        peaks(Window::Phase(Phase::Baseline), &[(server, 190)], 0),
        peaks(Window::Load(Group::Api), &[(server, 200), (short, 180)], 0),
        peaks(Window::Load(Group::CliInfra), &[(server, 195)], 2),
    ]);
    let text = rendered(&run);
    let section = text.split("\nPEAKS").nth(1).expect("the report has the section");
    insta::assert_snapshot!(section.split("\n\n").next().expect("the part has an end"));
}

#[test]
fn a_budget_of_a_class_without_processes_is_listed() {
    let mut run = good_run(&four_users());
    run.limit(Metric::max_peak(ProcessClass::Subprocess), ByteSize::mib(50));
    assert!(rendered(&run).contains("\n  subprocess: budget 50.0, skipped\n"));
}

/// Summary in the instructions of upstream's `tests/load_tests`.
const UPSTREAM: &str = "\
==================================================
MONITORING SUMMARY
==================================================
Duration: 1481.7 seconds (0.41 hours)

BASELINE USAGE:
Baseline CPU: 1.2%
Baseline Memory: 2.99GB (21.6%)

PEAK USAGE:
Peak CPU: 96.9%
Peak Memory: 11.78GB (79.0%)
Memory Delta: 8.8GB
Peak Non-blocking Executor Memory: 0.37GB
Peak Non-blocking Executor Memory Average: 0.23GB
Peak Blocking Executor Memory: 0.35GB
Peak Blocking Executor Memory Average: 0.30GB

AVERAGE USAGE:
Average CPU: 11.5%
Average Memory: 63.1%
==================================================
";

/// Text with `9` for each digit, and a single `9` for all digits of an integer part.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_digit() { '9' } else { c };
        // The number of decimals is part of the shape.
        let repeats = c == '9' && shape.ends_with('9') && !shape.ends_with(".9");
        if !repeats {
            shape.push(c);
        }
    }
    shape
}

#[test]
fn the_summary_equals_upstreams_but_for_the_figures() {
    let mut run = good_run(&four_users());
    // Upstream's example has long executors.
    run.record(3).class = ProcessClass::LongExecutor;
    for line in &mut run.profile {
        if let ProfileLine::Sample(sample) = line
            && let Some(short) = sample.classes.get(&ProcessClass::ShortExecutor).copied()
        {
            sample.classes.insert(ProcessClass::LongExecutor, short);
        }
    }
    let text = shape(&rendered(&run));
    assert!(text.starts_with(&shape(UPSTREAM)), "{text}");
}

/// Evidence of a run of all API and CLI scenarios that need no infra, with one error each, all of
/// different types.
fn crowded_run() -> Evidence {
    let all = || vec!["all".to_owned()];
    let request = LoadRequest { api: all(), cli: all(), ..four_users() };
    let mut run = good_run(&request);
    for (number, outcome) in run.outcomes.values_mut().enumerate() {
        let failure = Failure {
            step: "a-step-with-a-long-name/submit".to_owned(),
            status: Some(500),
            error_type: format!("Error{number}"),
            message: "a message of a server that goes on and on ".repeat(20),
        };
        let segment = &mut outcome.segments[0];
        (segment.succeeded, segment.failed) = (segment.succeeded - 1, 1);
        segment.tally.add(segment.began, failure, None);
    }
    run
}

#[test]
fn the_compact_text_fits_a_screen() {
    for run in [good_run(&four_users()), eventful_run(), crowded_run()] {
        let text = rendered_with(&run, Detail::Compact);
        // Findings and the next command are sentences, which a terminal wraps.
        let (tables, rest) = text.split_once("\nFINDINGS\n").expect("the report has findings");
        let too_wide: Vec<&str> = tables.lines().filter(|l| l.chars().count() > 100).collect();
        assert!(too_wide.is_empty(), "{too_wide:#?}");
        let failed = rest.lines().filter(|line| line.contains("FAILED: ")).count();
        assert!(text.lines().count() - failed <= 75, "{} lines:\n{text}", text.lines().count());
    }
}

#[test]
fn the_compact_text_ends_with_verdict_reason_and_next_command() {
    let mut run = good_run(&four_users());
    run.fail_iterations(1);
    let text = rendered_with(&run, Detail::Compact);
    let end: Vec<&str> = text.lines().rev().take(3).collect();
    assert!(end[1].starts_with("NEXT: cargo xtask load"), "{text}");
    let verdict = "VERDICT: SCENARIO FAILED (exit code 11): api:status: 1 of 4 iterations failed";
    assert_eq!(end[2], verdict, "{text}");
}

#[test]
fn the_compact_text_has_latencies_and_points_to_the_rest() {
    let text = rendered_with(&eventful_run(), Detail::Compact);
    insta::assert_snapshot!(text.split("\nLATENCY").nth(1).expect("the report has latencies"));
}

#[test]
fn a_percentile_is_shown_only_from_enough_samples() {
    let mut run = good_run(&four_users());
    let p95_of = |run: &Evidence| {
        let text = rendered_with(run, Detail::Compact);
        let row = text.lines().find(|line| line.trim_start().starts_with("api:status"));
        let cells: Vec<String> = row.unwrap().split_whitespace().map(str::to_owned).collect();
        // scenario users iterations failed cold warm p95 max status
        cells[6].clone()
    };
    assert_eq!(p95_of(&run), "-", "4 iterations have no 95th percentile");
    for _ in 0..16 {
        run.segment().iteration_duration.record(Duration::from_secs(2));
    }
    assert_ne!(p95_of(&run), "-");
}

#[test]
fn the_99_9th_percentile_is_shown_from_1000_iterations() {
    const NOTE: &str = "p99.9 needs 1,000 iterations";
    let mut run = good_run(&four_users());
    let p999_of = |run: &Evidence| {
        let text = rendered(run);
        let row = text.lines().find(|line| line.trim_start().starts_with("api:status"));
        let cells: Vec<String> = row.unwrap().split_whitespace().map(str::to_owned).collect();
        // .. p99 p99.9 max
        (cells[cells.len() - 2].clone(), text.matches(NOTE).count())
    };
    assert_eq!(p999_of(&run), ("-".to_owned(), 1));
    for _ in 0..996 {
        run.segment().iteration_duration.record(Duration::from_secs(2));
    }
    let (p999, notes) = p999_of(&run);
    assert_ne!(p999, "-");
    assert_eq!(notes, 1, "the health probe has fewer");
    run.outcomes.remove(&ProbeHealth);
    assert_eq!(p999_of(&run).1, 0);
}

#[test]
fn thresholds_are_rows_of_a_table_with_their_results() {
    let mut run = good_run(&four_users());
    run.thresholds(&["api:status p95 < 1s", "api:status step status/get p99 <= 1s"]);
    run.plan.thresholds[0].abort = Some(Abort { after: Duration::from_secs(30) });
    for detail in [Detail::Compact, Detail::Full] {
        let text = rendered_with(&run, detail);
        let table = text.split("\nTHRESHOLDS\n").nth(1).expect("the report has thresholds");
        let rows: Vec<Vec<&str>> = table
            .lines()
            .take(3)
            .map(|row| row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        let expected = [
            ["threshold", "measured", "status", "ends the load"],
            ["api:status p95 < 1s", "4.002 s", "BREACHED", "after 30s"],
            [
                "api:status step status/get p99 <= 1s",
                "-",
                "skipped: no iteration got to the step",
                "no",
            ],
        ];
        assert_eq!(rows, expected);
    }
}
