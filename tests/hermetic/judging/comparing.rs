//! Comparisons of runs of two versions, from evidence.

use std::path::Path;

use rstest::rstest;
use skyload::analysis::{Evidence, Report};
use skyload::class::ProcessClass;
use skyload::comparison::{Comparison, ComparisonVerdict, Looks, MetricVerdict, Pairing, Settings};
use skyload::ids::RunId;
use skyload::metric::{ComparedMetric, Decider, Metric, ScenarioMetric, ServerMetric};
use skyload::record::RunDir;
use skyload::record::environment::WorkerCounts;
use skyload::record::profile::{ProcessRecord, ProfileLine, Sample};
use skyload::render::comparison::{render_markdown, render_text};
use skyload::render::html::{Curves, render_comparison};
use skyload::render::text::Detail;
use skyload::scenario::ScenarioId;
use skyload::units::ByteSize;

use super::changes::Change as _;
use super::evidence::{at, four_users, good_run};
use super::pages;

/// Report of a run with a number of its own, in which every peak is `mib` more.
fn run(number: u32, mib: u64) -> Report {
    Report::assemble(&evidence(number, mib))
}

/// Evidence of a run with a number of its own, in which every peak is `mib` more.
pub(super) fn evidence(number: u32, mib: u64) -> Evidence {
    let mut evidence = good_run(&four_users());
    let id = format!("20261128-0800{number:02}-00aa");
    evidence.run = RunId::of_directory(Path::new(&id));
    evidence.name = id;
    let processes = evidence.processes.as_mut().expect("a good run is profiled");
    for record in &mut processes.processes {
        let ProcessRecord { peak, .. } = record;
        *peak = peak.map(|peak| ByteSize(peak.as_u64() + ByteSize::mib(mib).as_u64()));
    }
    evidence
}

/// Reports of such runs.
pub(super) fn runs(numbers: std::ops::Range<u32>, mib: u64) -> Vec<Report> {
    numbers.map(|number| run(number, mib)).collect()
}

pub(super) fn compare(base: &[Report], candidate: &[Report]) -> Comparison {
    Comparison::assemble(base, candidate, &Settings::default())
}

fn verdict_of(comparison: &Comparison, name: &str) -> MetricVerdict {
    let found = comparison.metrics.iter().find(|metric| metric.metric.to_string() == name);
    found.unwrap_or_else(|| panic!("{name}: {:#?}", comparison.metrics)).verdict
}

#[test]
fn equal_runs_are_the_same() {
    let comparison = compare(&runs(0..3, 0), &runs(3..6, 0));
    assert_eq!(comparison.verdict, ComparisonVerdict::Same, "{}", comparison.reason());
    assert_eq!(comparison.verdict.exit_code(), 0);
    assert!(comparison.differences.is_empty(), "{:#?}", comparison.differences);
}

#[rstest]
#[case::beyond_the_tolerance(100, MetricVerdict::Worse, ComparisonVerdict::Worse)]
#[case::within_the_tolerance(5, MetricVerdict::Same, ComparisonVerdict::Same)]
fn a_larger_peak_is_worse_beyond_its_tolerance(
    #[case] mib: u64,
    #[case] of_metric: MetricVerdict,
    #[case] of_all: ComparisonVerdict,
) {
    let comparison = compare(&runs(0..3, 0), &runs(3..6, mib));
    assert_eq!(verdict_of(&comparison, "short-executor"), of_metric);
    assert_eq!(comparison.verdict, of_all, "{}", comparison.reason());
}

#[test]
fn a_smaller_peak_is_better() {
    let comparison = compare(&runs(0..3, 100), &runs(3..6, 0));
    assert_eq!(verdict_of(&comparison, "short-executor"), MetricVerdict::Better);
    assert_eq!(
        (comparison.verdict, comparison.verdict.exit_code()),
        (ComparisonVerdict::Better, 0)
    );
}

#[test]
fn sets_of_different_sizes_are_compared_as_wholes() {
    let comparison = compare(&runs(0..3, 0), &runs(3..8, 100));
    assert_eq!(comparison.pairing, Pairing::Unpaired);
    assert_eq!(comparison.verdict, ComparisonVerdict::Worse);
}

#[test]
fn fewer_than_three_runs_decide_nothing() {
    let comparison = compare(&runs(0..2, 0), &runs(2..4, 100));
    assert_eq!(comparison.verdict, ComparisonVerdict::Undecided);
    assert_eq!(comparison.verdict.exit_code(), 12);
    assert!(comparison.reason().starts_with("too few usable runs"), "{}", comparison.reason());
}

#[test]
fn a_class_that_one_version_lacks_is_not_compared() {
    let without = |number| {
        let mut evidence = evidence(number, 0);
        let processes = evidence.processes.as_mut().expect("a good run is profiled");
        processes.processes.retain(|record| record.class != ProcessClass::ShortExecutor);
        for line in &mut evidence.profile {
            if let skyload::record::profile::ProfileLine::Sample(sample) = line {
                sample.classes.remove(&ProcessClass::ShortExecutor);
            }
        }
        Report::assemble(&evidence)
    };
    let candidate: Vec<Report> = (3..6).map(without).collect();
    let comparison = compare(&runs(0..3, 0), &candidate);
    let only_in_base = MetricVerdict::NotCompared { only_in_base: true };
    assert_eq!(verdict_of(&comparison, "short-executor"), only_in_base);
}

#[test]
fn another_load_or_machine_is_named() {
    let mut other = evidence(3, 0);
    other.plan.probe_rate = 7;
    other.environment.as_mut().expect("it is known").machine.cpus += 1;
    let candidate = [Report::assemble(&other), run(4, 0), run(5, 0)];
    let comparison = compare(&runs(0..3, 0), &candidate);
    let differences: Vec<String> = comparison.disturbances().map(ToString::to_string).collect();
    assert_eq!(differences.len(), 2, "{differences:#?}");
    assert!(differences[0].starts_with("health probe: "), "{differences:#?}");
    assert!(differences[1].starts_with("CPUs: "), "{differences:#?}");
}

#[test]
fn a_run_that_was_interrupted_is_left_out_with_its_partner() {
    let mut interrupted = evidence(1, 500);
    interrupted.events.truncate(3);
    let base = [run(0, 0), Report::assemble(&interrupted), run(2, 0), run(3, 0)];
    let comparison = compare(&base, &runs(4..8, 0));
    let excluded = [&comparison.base, &comparison.candidate].map(|side| side.excluded.len());
    assert_eq!(excluded, [1, 1], "{comparison:#?}");
    assert_eq!(comparison.verdict, ComparisonVerdict::Same, "{}", comparison.reason());
}

#[test]
fn an_error_of_the_candidate_alone_is_worse_although_its_scenario_may_fail() {
    let with_errors = |number, count| {
        let mut evidence = evidence(number, 0);
        evidence.thresholds(&["api:status error-rate <= 80%"]);
        evidence.fail_iterations(count);
        Report::assemble(&evidence)
    };
    let base: Vec<Report> = (0..3).map(|number| with_errors(number, 0)).collect();
    // One run of three is enough.
    let candidate = [with_errors(3, 0), with_errors(4, 1), with_errors(5, 0)];
    let comparison = compare(&base, &candidate);
    assert_eq!(comparison.verdict, ComparisonVerdict::Worse, "{}", comparison.reason());
    assert!(comparison.reason().starts_with("new errors: "), "{}", comparison.reason());
    let both = [with_errors(6, 1), with_errors(7, 0), with_errors(8, 0)];
    assert_eq!(compare(&both, &candidate).verdict, ComparisonVerdict::Same);
    let settings = Settings { decide: vec![Decider::Peaks], ..Settings::default() };
    let without = Comparison::assemble(&base, &candidate, &settings);
    assert_eq!(without.verdict, ComparisonVerdict::Same);
}

#[test]
fn a_failure_of_the_candidate_alone_is_no_matter_of_metrics() {
    let failing = |number| {
        let mut evidence = evidence(number, 0);
        evidence.fail_iterations(1);
        Report::assemble(&evidence)
    };
    let candidate: Vec<Report> = (3..6).map(failing).collect();
    let comparison = compare(&runs(0..3, 0), &candidate);
    assert_eq!(comparison.verdict, ComparisonVerdict::ScenarioFailed);
    assert_eq!(
        (comparison.verdict.exit_code(), &comparison.failed[..]),
        (11, &["api:status".to_owned()][..])
    );
}

#[test]
fn without_a_deciding_metric_nothing_is_decided() {
    let growth = Metric::from(ServerMetric::Growth);
    let unmeasured =
        Decider::Metric(ComparedMetric::Latency(ScenarioId::ApiValidate, ScenarioMetric::P99));
    for (decide, verdict) in [
        (vec![unmeasured], ComparisonVerdict::Undecided),
        (
            vec![unmeasured, Decider::Metric(ComparedMetric::Server(growth))],
            ComparisonVerdict::Same,
        ),
        (vec![Decider::Errors], ComparisonVerdict::Same),
    ] {
        let settings = Settings { decide, ..Settings::default() };
        let comparison = Comparison::assemble(&runs(0..3, 0), &runs(3..6, 0), &settings);
        assert_eq!(comparison.verdict, verdict, "{}", comparison.reason());
    }
}

#[test]
fn metrics_that_are_too_noisy_are_named_and_leave_no_comparison_undecided() {
    let noisy = |numbers: std::ops::Range<u32>, mibs: [u64; 3]| -> Vec<Report> {
        numbers.zip(mibs).map(|(number, mib)| run(number, mib)).collect()
    };
    let (base, candidate) = (noisy(0..3, [0, 200, 100]), noisy(3..6, [200, 100, 0]));
    let of = |unless_noisy: Vec<Decider>| {
        let settings = Settings { unless_noisy, ..Settings::default() };
        Comparison::assemble(&base, &candidate, &settings)
    };
    let comparison = of(vec![]);
    assert_eq!(comparison.verdict, ComparisonVerdict::Undecided, "{}", comparison.reason());
    let comparison = of(vec![Decider::Peaks]);
    assert_eq!(comparison.verdict, ComparisonVerdict::Same, "{}", comparison.reason());
    let reason = comparison.reason();
    assert!(reason.starts_with("the same: tree-pss"), "{reason}");
    assert!(reason.contains("; too noisy to tell: short-executor (needs "), "{reason}");
    assert!(comparison.is_open(), "more pairs would be made");
    let settings = Settings { decide: vec![Decider::Peaks], ..Settings::default() };
    let settings = Settings { unless_noisy: vec![Decider::Peaks], ..settings };
    let comparison = Comparison::assemble(&base, &candidate, &settings);
    assert_eq!(comparison.verdict, ComparisonVerdict::Undecided, "{}", comparison.reason());
}

#[test]
fn other_numbers_of_workers_are_skypilots_only_if_its_version_differs() {
    let of = |number, version: &str, long| {
        let mut evidence = evidence(number, 0);
        let environment = evidence.environment.as_mut().expect("it is known");
        version.clone_into(&mut environment.sky.version);
        version.clone_into(&mut environment.server.version);
        environment.server.workers = Some(WorkerCounts { server: 1, long, short: 9 });
        Report::assemble(&evidence)
    };
    let base: Vec<Report> = (0..3).map(|number| of(number, "0.14.1", 4)).collect();
    for (version, disturbances) in [("0.14.1", 1), ("0.15.0", 0)] {
        let candidate: Vec<Report> = (3..6).map(|number| of(number, version, 5)).collect();
        let comparison = compare(&base, &candidate);
        assert_eq!(comparison.disturbances().count(), disturbances, "{version}");
        assert_eq!(comparison.differences.len(), 1, "{:#?}", comparison.differences);
    }
}

/// Three reports of a run that the last build of format 2 wrote.
fn kept(name: &str) -> [Report; 3] {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kept/v2").join(name);
    let run = RunDir::open(&path).expect("the run is in the repository");
    let report = Report::assemble(&Evidence::read(&run).expect("the run is readable"));
    [report.clone(), report.clone(), report]
}

#[test]
fn runs_of_earlier_builds_are_compared_by_the_metrics_that_they_have() {
    let comparison = compare(&kept("passed"), &kept("passed"));
    assert_eq!(comparison.verdict, ComparisonVerdict::Same, "{}", comparison.reason());
    let not_measured: Vec<String> =
        comparison.not_measured.iter().map(ToString::to_string).collect();
    assert_eq!(not_measured, ["cpu-per-iteration"]);
}

#[test]
fn another_plan_of_an_earlier_build_is_named_and_its_failures_are_the_candidates() {
    let comparison = compare(&kept("passed"), &kept("failed"));
    let differences: Vec<String> = comparison.disturbances().map(ToString::to_string).collect();
    assert!(differences[0].starts_with("scenarios: api:status"), "{differences:#?}");
    assert_eq!(comparison.verdict, ComparisonVerdict::ScenarioFailed, "{}", comparison.reason());
}

#[test]
fn every_look_has_a_part_of_the_risk() {
    let noisy = |numbers: std::ops::Range<u32>, mib: u64| -> Vec<Report> {
        numbers.map(|number| run(number, mib + u64::from(number % 3))).collect()
    };
    let width = |looks| {
        let settings = Settings { looks, ..Settings::default() };
        let comparison = Comparison::assemble(&noisy(0..3, 0), &noisy(3..6, 0), &settings);
        let metric = comparison.deciding().find(|metric| metric.metric.to_string() == "server");
        let change = metric.and_then(|metric| metric.change).expect("there are three pairs");
        change.interval.high - change.interval.low
    };
    assert!(width(Looks::AfterEachPair { most: 5 }) > width(Looks::Once));
}

#[test]
fn all_formats_say_the_verdict_and_the_worse_metric() {
    let (base, candidate) = (runs(0..3, 0), runs(3..6, 100));
    let comparison = compare(&base, &candidate);
    let mut rendered = [Vec::new(), Vec::new(), Vec::new()];
    let [text, markdown, page] = &mut rendered;
    render_text(&comparison, Detail::Full, None, text).unwrap();
    render_markdown(&comparison, markdown).unwrap();
    let curves = [0, 1].map(|side| {
        let evidence = evidence(side, 0);
        let report = Report::assemble(&evidence);
        let data = skyload::analysis::ChartData::assemble(&report, &evidence);
        Vec::from_iter(Curves::of(&report, data))
    });
    render_comparison(&comparison, &curves, page).unwrap();
    for text in rendered {
        let text = String::from_utf8(text).unwrap();
        for expected in ["WORSE", "short-executor", "worse"] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
    }
    assert_eq!(curves.iter().flatten().count(), 2);
}

#[test]
fn a_curve_whose_later_samples_are_rarer_has_no_gaps() {
    let minutes = |count: u64| count * 60_000;
    let mut long = evidence(0, 0);
    long.events[2].at = at(minutes(59));
    long.events[3].at = at(minutes(60));
    let ProfileLine::Sample(first) = long.profile[1].clone() else { panic!("a sample") };
    let (header, footer) = (long.profile.remove(0), long.profile.pop().expect("a footer"));
    // As a profile is thinned after half an hour.
    let often = (0..minutes(30)).step_by(50);
    let times = often.chain((minutes(30)..=minutes(60)).step_by(1_000));
    let sample = |millis| ProfileLine::Sample(Sample { at: at(millis), ..first.clone() });
    long.profile = [header].into_iter().chain(times.map(sample)).chain([footer]).collect();
    let report = Report::assemble(&long);
    let data = skyload::analysis::ChartData::assemble(&report, &long);
    let curves = [Vec::from_iter(Curves::of(&report, data)), Vec::new()];
    let mut page = Vec::new();
    render_comparison(&compare(&runs(0..3, 0), &runs(3..6, 0)), &curves, &mut page).unwrap();
    let charts = pages::data(&String::from_utf8(page).unwrap())["charts"].clone();
    let charts = charts.as_array().expect("a JSON array");
    assert_eq!(charts.len(), 2, "memory and CPU");
    for chart in charts {
        let values = chart["series"][0]["values"].as_array().expect("a JSON array");
        assert!(values.len() > 50 && values.iter().all(|value| value.is_number()), "{values:?}");
    }
}
