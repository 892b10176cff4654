//! The server's own view: its metrics beside the figures of clients and profiler, and budgets of a
//! remote server by its own gauges.

use std::collections::BTreeMap;
use std::time::Duration;

use rstest::rstest;
use skyload::analysis::{
    Evidence, Exactness, LimitState, Report, ServerView, Severity, ThresholdState, Verdict,
};
use skyload::class::ProcessClass;
use skyload::clock::ClockOffset;
use skyload::metric::{Metric, ScenarioMetric, ServerFigure};
use skyload::record::events::Event;
use skyload::record::outcome::Latencies;
use skyload::record::request::LoadRequest;
use skyload::record::server_metrics::{
    Bucket, FailedScrape, Histogram, MetricsLine, MetricsSnapshot, ProcessGauge, Quantile,
};
use skyload::render::text::{self, Detail};
use skyload::render::{html, markdown};
use skyload::units::ByteSize;

use super::changes::Change;
use super::evidence::{ALL_ENDED, LOAD_BEGAN, LOAD_ENDED, at, four_users, good_run};

/// Histogram with bounds of 100 ms and 1 s.
fn histogram(up_to_100_ms: u64, up_to_1_s: u64, count: u64) -> Histogram {
    let bucket = |(le, count)| Bucket { le, count };
    Histogram { buckets: [(0.1, up_to_100_ms), (1.0, up_to_1_s)].map(bucket).to_vec(), count }
}

fn gauge(pid: u32, role: &str, mib: u64) -> ProcessGauge {
    ProcessGauge { pid, role: role.to_owned(), rss: ByteSize::mib(mib) }
}

/// Snapshot of a server with `requests` requests so far, each with ten timers of its event loop.
fn snapshot(millis: u64, requests: u64) -> MetricsSnapshot {
    let all = |name: &str| BTreeMap::from([(name.to_owned(), histogram(0, requests, requests))]);
    MetricsSnapshot {
        at: at(millis + 100),
        made: Some(at(millis)),
        lag: Some(histogram(requests * 9, requests * 10, requests * 10)),
        lag_max: Some(Duration::from_millis(700)),
        queue_wait: all("short"),
        pending: all("sky.status"),
        executed: all("sky.status"),
        http: all("/status"),
        rss: vec![gauge(1, "server", 150), gauge(2, "worker:short", 120)],
    }
}

/// Snapshots before, during and after the load of a good run.
pub(crate) fn metrics() -> Vec<MetricsLine> {
    let moments = [(500, 100), (LOAD_BEGAN + 1000, 140), (LOAD_ENDED + 500, 200)];
    let mut lines: Vec<MetricsLine> = moments
        .map(|(millis, requests)| MetricsLine::Snapshot(snapshot(millis, requests)))
        .to_vec();
    let reason = "HTTP 500".to_owned();
    lines.insert(1, MetricsLine::Failed(FailedScrape { at: at(LOAD_BEGAN), reason }));
    lines
}

/// Good run on a server whose metrics were read.
pub(crate) fn measured() -> Evidence {
    let mut run = good_run(&LoadRequest { metrics: true, ..four_users() });
    run.server_metrics = metrics();
    run
}

/// Good run on a remote server without a profile, whose metrics were read.
fn remote(lines: Vec<MetricsLine>, budgets: &[&str]) -> Evidence {
    let request = LoadRequest {
        server: Some("http://127.0.0.1:1".to_owned()),
        metrics_url: Some("http://127.0.0.1:2".to_owned()),
        budgets: budgets.iter().map(|text| (*text).to_owned()).collect(),
        ..four_users()
    };
    let mut run = good_run(&request);
    (run.profile, run.processes, run.server_metrics) = (Vec::new(), None, lines);
    run
}

fn view(run: &Evidence) -> ServerView {
    Report::assemble(run).server_view.expect("the plan reads the server's metrics")
}

fn snapshots(lines: &mut [MetricsLine]) -> impl Iterator<Item = &mut MetricsSnapshot> {
    lines.iter_mut().filter_map(|line| match line {
        MetricsLine::Snapshot(snapshot) => Some(snapshot),
        _ => None,
    })
}

#[test]
fn a_run_without_metrics_has_no_view_of_the_server() {
    assert_eq!(Report::assemble(&good_run(&four_users())).server_view, None);
}

#[test]
fn histograms_are_the_difference_around_the_load() {
    let view = view(&measured());
    assert!(view.is_complete());
    let lag = view.lag.as_ref().unwrap();
    assert_eq!(lag.durations.histogram, histogram(900, 1000, 1000));
    assert_eq!(lag.max, Some(Duration::from_millis(700)));
    assert_eq!(view.queue_wait["short"].count(), 100);
    assert_eq!(view.requests["sky.status"].run.as_ref().unwrap().count(), 100);
    assert_eq!(view.http["/status"].server.count(), 100);
}

#[test]
fn the_lag_is_interpolated_for_thresholds() {
    let view = view(&measured());
    let lag = |view: &ServerView, statistic| {
        view.quantile(&ServerFigure::Lag, statistic).map(Quantile::duration)
    };
    assert_eq!(lag(&view, ScenarioMetric::P90), Some(Duration::from_millis(100)));
    assert_eq!(lag(&view, ScenarioMetric::P95), Some(Duration::from_millis(550)));
    assert_eq!(lag(&ServerView { lag: None, ..view }, ScenarioMetric::P95), None);
}

#[test]
fn figures_of_server_and_clients_are_side_by_side() {
    let mut run = measured();
    let mut latencies = Latencies::default();
    latencies.record(Duration::from_secs(2));
    for step in ["status/queue+run", "status/submit"] {
        run.segment().steps.insert(step.to_owned(), latencies.clone());
    }
    let view = view(&run);
    let client = [view.requests["sky.status"].client, view.http["/status"].client];
    assert!(client.iter().all(|stats| stats.is_some_and(|stats| stats.p50.as_secs() == 2)));
}

#[test]
fn a_restart_of_the_server_resets_its_counters() {
    let mut run = measured();
    // 40 requests before the restart, 25 after it.
    snapshots(&mut run.server_metrics).last().unwrap().executed =
        BTreeMap::from([("sky.status".to_owned(), histogram(0, 25, 25))]);
    assert_eq!(view(&run).requests["sky.status"].run.as_ref().unwrap().count(), 65);
}

#[test]
fn without_a_snapshot_from_after_the_load_the_view_is_incomplete() {
    let mut run = measured();
    run.server_metrics.pop();
    assert!(!view(&run).is_complete());
    let report = Report::assemble(&run);
    assert_eq!(report.verdict, Verdict::Pass, "the run is not judged by these figures");
    let notes = report.messages(Severity::Note);
    assert!(notes.iter().any(|note| note.contains("the end of the load is missing")), "{notes:?}");
}

#[rstest]
#[case::all_of_them(0, ThresholdState::Met, None)]
#[case::none_from_before_the_load(1, ThresholdState::Incomplete, Some("the start of the load is"))]
#[case::one_from_after_the_load(2, ThresholdState::Incomplete, Some("the start of the load is"))]
#[case::none(3, ThresholdState::Incomplete, None)]
fn a_server_with_a_past_needs_a_snapshot_from_before_the_load(
    #[case] failed: usize,
    #[case] state: ThresholdState,
    #[case] missing: Option<&str>,
) {
    let lines = metrics().into_iter().filter(|line| matches!(line, MetricsLine::Snapshot(_)));
    let mut run = remote(lines.skip(failed).collect(), &[]);
    run.happens(ALL_ENDED, Event::ClockCompared(ClockOffset::bounded_by(at(0), at(0), at(0))));
    run.thresholds(&["server lag p99 < 2s"]);
    assert_eq!(view(&run).is_complete(), failed == 0);
    let report = Report::assemble(&run);
    assert_eq!(report.thresholds[0].state, state);
    let verdict = if failed == 0 { Verdict::Pass } else { Verdict::Inconclusive };
    assert_eq!(report.verdict, verdict, "{:#?}", report.findings);
    let notes = report.messages(Severity::Note);
    let found = notes.iter().find(|note| note.contains("of the load is missing"));
    assert_eq!(found.is_some(), missing.is_some(), "{notes:?}");
    assert!(missing.is_none_or(|part| found.is_some_and(|note| note.contains(part))), "{notes:?}");
}

#[test]
fn failed_scrapes_are_a_note() {
    let report = Report::assemble(&measured());
    assert_eq!(report.verdict, Verdict::Pass);
    let notes = report.messages(Severity::Note);
    assert!(
        notes.contains(&"server metrics: 1 failed scrape, the last one: HTTP 500"),
        "{notes:?}"
    );
}

#[test]
fn a_metric_that_the_release_lacks_is_named_and_has_no_figure() {
    let mut run = measured();
    for snapshot in snapshots(&mut run.server_metrics) {
        (snapshot.lag, snapshot.queue_wait) = (None, BTreeMap::new());
    }
    let report = Report::assemble(&run);
    let view = report.server_view.as_ref().unwrap();
    assert!(view.lag.is_none() && view.queue_wait.is_empty());
    let families = ["sky_apiserver_event_loop_lag_seconds", "sky_apiserver_queue_wait_seconds"];
    assert_eq!(view.absent, families);
    assert!(full_text(&report).contains("no figures of sky_apiserver_event_loop_lag_seconds"));
    assert!(!full_text(&report).contains("event loop lag  "));
}

#[test]
fn memory_is_beside_the_profilers_peak_of_the_same_process() {
    let view = view(&measured());
    let server = view.processes.iter().find(|process| process.pid == 1).unwrap();
    assert_eq!((server.class, server.readings), (ProcessClass::Server, 3));
    assert_eq!(server.largest, ByteSize::mib(150));
    assert!(server.profiled.is_some());
}

#[test]
fn several_server_processes_are_web_workers() {
    let mut run = measured();
    for snapshot in snapshots(&mut run.server_metrics) {
        snapshot.rss.push(gauge(9, "server", 160));
    }
    let view = view(&run);
    let class = view.classes.iter().find(|found| found.class == ProcessClass::ServerWorker);
    assert_eq!(class.map(|found| (found.processes, found.concurrent)), Some((2, 2)));
}

#[rstest]
#[case::that_the_gauge_is_within("short-executor=200MiB", Verdict::Pass, LimitState::Within)]
#[case::that_the_gauge_exceeds("short-executor=100MiB", Verdict::OverBudget, LimitState::Over)]
fn a_remote_server_has_budgets_by_its_own_gauges(
    #[case] budget: &str,
    #[case] verdict: Verdict,
    #[case] state: LimitState,
) {
    let report = Report::assemble(&remote(metrics(), &[budget]));
    assert_eq!(report.verdict, verdict, "{:#?}", report.findings);
    let metric = Metric::max_peak(ProcessClass::ShortExecutor);
    let check = report.budgets.iter().find(|check| check.metric == metric).unwrap();
    assert_eq!(check.state, state);
    assert!(report.is_lower_bound(metric));
    let notes = report.messages(Severity::Note);
    assert!(notes.iter().any(|note| note.contains("sampled by the server itself")), "{notes:?}");
}

#[test]
fn a_budget_that_growth_may_have_exceeded_is_inconclusive() {
    let mut lines = metrics();
    // Growth of 20 MiB in 2.5 s is 76 MiB in the longest pause, 9.5 s.
    snapshots(&mut lines).next().unwrap().rss[1].rss = ByteSize::mib(100);
    let report = Report::assemble(&remote(lines, &["short-executor=150MiB"]));
    assert_eq!(report.verdict, Verdict::Inconclusive);
    let doubts = report.messages(Severity::Inconclusive);
    assert!(doubts[0].contains("may exceed its budget"), "{doubts:?}");
}

#[test]
fn a_single_snapshot_bounds_no_peak() {
    let run = remote(vec![MetricsLine::Snapshot(snapshot(500, 1))], &["server=1GiB"]);
    let report = Report::assemble(&run);
    let classes = &report.server_view.as_ref().unwrap().classes;
    assert!(classes.iter().all(|class| class.exactness == Exactness::Unbounded));
    assert_eq!(report.verdict, Verdict::Inconclusive);
}

#[test]
fn without_a_gauge_only_a_budget_of_a_flag_is_inconclusive() {
    let report = Report::assemble(&remote(Vec::new(), &[]));
    assert_eq!((report.verdict, report.budgets.len()), (Verdict::Pass, 0), "{:?}", report.findings);
    let report = Report::assemble(&remote(Vec::new(), &["server=1GiB"]));
    assert_eq!(report.verdict, Verdict::Inconclusive);
    let doubts = report.messages(Severity::Inconclusive);
    assert!(doubts[0].contains("server: budget not checked"), "{doubts:?}");
}

#[test]
fn every_report_shows_the_servers_own_view() {
    let run = measured();
    let report = Report::assemble(&run);
    let full = full_text(&report);
    for heading in
        ["SERVER'S OWN VIEW", "EVENT LOOP AND QUEUES", "QUEUED REQUESTS", "HTTP REQUESTS"]
    {
        assert!(full.contains(heading), "{heading}: {full}");
    }
    let mut page = Vec::new();
    let data = skyload::analysis::ChartData::assemble(&report, &run);
    html::render(&report, &data, &mut page).unwrap();
    assert!(String::from_utf8_lossy(&page).contains("<h2 id=\"server-view\">"));
    let mut compact = Vec::new();
    text::render(&report, Detail::Compact, None, &mut compact).unwrap();
    let lag = "server's event loop lag: p50 0.056 s, p99 0.910 s, max >=0.700 s";
    assert!(String::from_utf8_lossy(&compact).contains(lag));
}

#[test]
fn names_of_a_server_are_escaped() {
    let mut run = measured();
    for snapshot in snapshots(&mut run.server_metrics) {
        let odd = BTreeMap::from([("<b>a|b\n::error::".to_owned(), histogram(0, 9, 9))]);
        (snapshot.executed, snapshot.queue_wait) = (odd.clone(), odd);
    }
    snapshots(&mut run.server_metrics).next().unwrap().executed.clear();
    let report = Report::assemble(&run);
    let mut out = Vec::new();
    markdown::render(&report, &mut out).unwrap();
    let markdown = String::from_utf8(out).unwrap();
    assert!(!markdown.contains("<b>") && !markdown.contains("\n::error"), "{markdown}");
    assert!(!full_text(&report).contains("\n::error"));
}

#[test]
fn a_log_of_metrics_is_read_again_from_its_file() {
    let run = measured();
    let (_folder, directory) = crate::run_files::write_run(&run);
    let read = Evidence::read(&directory).unwrap();
    assert_eq!(view(&read), view(&run));
    assert!(read.damage.is_empty(), "{:?}", read.damage);
    assert!(run.phases_ended() >= Some(at(ALL_ENDED)));
}

fn full_text(report: &Report) -> String {
    let mut out = Vec::new();
    text::render(report, Detail::Full, None, &mut out).expect("writing to memory cannot fail");
    String::from_utf8(out).expect("reports are text")
}
