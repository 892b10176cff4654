//! Series for other tools: their values are those of the report, and what was not measured has no
//! row.

use std::collections::BTreeSet;
use std::time::Duration;

use rstest::rstest;
use serde_json::Value;
use skyload::analysis::{Evidence, Point, Report, RunSeries, Source};
use skyload::class::ProcessClass;
use skyload::record::outcome::{Activity, ActivityWindow, WindowLatency};
use skyload::render::series::{SeriesFormat, render};
use skyload::scenario::ScenarioId;
use skyload::units::as_mib;

use super::evidence::{LOAD_BEGAN, at, four_users, good_run, run_with_only_a_plan};
use super::hour::hour_run;
use super::server_views::measured;

/// Good run whose scenario was active in two of four windows.
pub(super) fn active_run() -> Evidence {
    let window = |millis: u64, started, ended, latency: Option<u64>| ActivityWindow {
        at: at(millis),
        started,
        ended,
        failed: 0,
        dropped: 0,
        latency: latency.map(Duration::from_millis).map(|one| WindowLatency {
            p50: one,
            p95: one,
            max: one,
        }),
    };
    let mut run = good_run(&four_users());
    let windows = vec![window(LOAD_BEGAN, 4, 0, None), window(LOAD_BEGAN + 3000, 0, 4, Some(2500))];
    let outcome = run.outcomes.get_mut(&ScenarioId::ApiStatus).expect("it ran");
    outcome.activity = Some(Activity { window: Duration::from_secs(1), windows });
    run
}

fn values(series: &RunSeries<'_>, is_wanted: impl Fn(&Point<'_>) -> bool) -> Vec<f64> {
    series.points().filter(|point| is_wanted(point)).map(|point| point.value).collect()
}

#[test]
fn the_largest_values_are_those_of_the_report() {
    let run = hour_run();
    let (report, series) = (Report::assemble(&run), RunSeries::of(&run));
    let memory = report.memory.expect("the run has a profile");
    for class in &memory.classes {
        let of = |metric: &str| {
            let is_of = |point: &Point<'_>| {
                (point.source, point.metric) == (Source::Profile, metric)
                    && point.subject == class.class.name()
            };
            values(&series, is_of).into_iter().fold(0.0, f64::max)
        };
        let sum = class.rss_sum_peak.map(as_mib).expect("it was sampled");
        assert!((of("rss-sum") - sum).abs() < 0.051, "{}: {sum}", class.class.name());
        assert!((of("processes") - f64::from(class.concurrent)).abs() < 0.1);
    }
    let largest = values(&series, |point| point.metric == "rss-max");
    assert_eq!(largest.into_iter().fold(0.0, f64::max), 777.0, "a spike of one sample stays");
}

#[test]
fn an_hour_has_as_many_points_as_its_charts() {
    let run = hour_run();
    let points = RunSeries::of(&run).points().count();
    // 72,000 samples of each class become 2,000 points at the most, for each of three metrics.
    assert!((10_000..100_000).contains(&points), "{points}");
}

#[test]
fn a_class_without_a_process_has_no_row() {
    let run = good_run(&four_users());
    let seen: BTreeSet<ProcessClass> =
        run.samples().flat_map(|sample| sample.classes.keys().copied()).collect();
    let series = RunSeries::of(&run);
    let classes: BTreeSet<String> = series
        .points()
        .filter(|point| point.metric == "processes")
        .map(|point| point.subject.into_owned())
        .collect();
    assert!(!seen.contains(&ProcessClass::JobsController));
    assert_eq!(classes, seen.iter().map(|class| class.name().to_owned()).collect());
}

#[test]
fn windows_without_activity_count_zero_and_have_no_latency() {
    let run = active_run();
    let series = RunSeries::of(&run);
    let of = |metric: &str| {
        let points = series.points().filter(|point| point.source == Source::Scenario);
        let points = points.filter(|point| point.metric == metric);
        points.map(|point| (point.seconds.expect("the load began"), point.value)).collect()
    };
    let in_flight: Vec<(f64, f64)> = of("in-flight");
    assert_eq!(in_flight, [(0.0, 4.0), (1.0, 4.0), (2.0, 4.0), (3.0, 0.0)]);
    let started: Vec<(f64, f64)> = of("started");
    assert_eq!(started, [(0.0, 4.0), (1.0, 0.0), (2.0, 0.0), (3.0, 0.0)]);
    let subjects: BTreeSet<String> = series
        .points()
        .filter(|point| point.source == Source::Scenario)
        .map(|point| point.subject.into_owned())
        .collect();
    assert_eq!(subjects, BTreeSet::from(["api:status".to_owned()]));
    let latencies: Vec<(f64, f64)> = of("latency-p95");
    assert_eq!(latencies, [(3.0, 2.5)]);
    let dropped: Vec<(f64, f64)> = of("dropped");
    assert_eq!(dropped, [], "a burst drops no arrivals");
}

#[test]
fn a_run_without_a_profile_has_the_series_of_its_scenarios() {
    let mut run = active_run();
    (run.profile, run.processes) = (Vec::new(), None);
    let series = RunSeries::of(&run);
    let sources: Vec<Source> = series.points().map(|point| point.source).collect();
    assert!(!sources.is_empty() && sources.iter().all(|one| *one == Source::Scenario));
}

#[test]
fn a_run_that_never_began_has_no_series() {
    assert_eq!(RunSeries::of(&run_with_only_a_plan()).points().count(), 0);
}

#[test]
fn histograms_of_the_server_count_since_the_snapshot_before() {
    let run = measured();
    let series = RunSeries::of(&run);
    let of = |subject: &str, metric: &str| {
        values(&series, |point| {
            (point.source, point.metric) == (Source::ServerMetrics, metric)
                && point.subject == subject
        })
    };
    assert_eq!(of("event-loop", "lag-count"), [400.0, 600.0]);
    assert_eq!(of("event-loop", "lag-max"), [0.7; 3]);
    assert_eq!(of("sky.status", "run-count"), [40.0, 60.0]);
    assert_eq!(of("short-executor", "rss-max"), [120.0; 3]);
    assert_eq!(of("short", "queue-wait-p95").len(), 2);
}

/// Rows of a file, each a map from column to text; a column without a value is empty.
fn rows(run: &Evidence, format: SeriesFormat) -> Vec<Vec<String>> {
    let series = RunSeries::of(run);
    let mut out = Vec::new();
    render(series.points(), format, &mut out).expect("memory can be written");
    let text = String::from_utf8(out).expect("it is text");
    match format {
        SeriesFormat::Csv => {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let records = reader.records().map(|record| record.expect("a record"));
            records.map(|record| record.iter().map(str::to_owned).collect()).collect()
        }
        SeriesFormat::Jsonl => {
            let columns = ["time", "seconds", "source", "subject", "metric", "unit", "value"];
            let row = |line: &str| {
                let row: Value = serde_json::from_str(line).expect("an object");
                let text = |column: &str| match &row[column] {
                    Value::String(text) => text.clone(),
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                columns.map(text).to_vec()
            };
            text.lines().map(row).collect()
        }
    }
}

#[rstest]
#[case::with_all_sources(measured())]
#[case::with_activity(active_run())]
fn both_formats_have_the_same_rows(#[case] run: Evidence) {
    let (csv, jsonl) = (rows(&run, SeriesFormat::Csv), rows(&run, SeriesFormat::Jsonl));
    assert_eq!(csv.len(), RunSeries::of(&run).points().count());
    assert!(csv.len() > 100, "{}", csv.len());
    for (csv, jsonl) in csv.iter().zip(&jsonl) {
        assert_eq!(csv, jsonl);
    }
    assert_eq!(csv.len(), jsonl.len());
}
