//! Comparisons of runs whose plans differ in one setting.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::Report;
use skyload::comparison::{Comparison, ComparisonVerdict, Part};
use skyload::infrastructure::{Infrastructure, KubernetesSize, LocalInfra};
use skyload::metric::{Abort, Threshold};
use skyload::plan::{Cancellations, LoadPlan, MetricsSource, Script, ScriptStart, ServerMetrics};
use skyload::render::comparison::render_text;
use skyload::render::text::Detail;
use skyload::shape::{Delays, LoadShape, Model, Pause, Timed};

use super::changes::Change as _;
use super::comparing::{compare, evidence, runs};

/// Comparison of runs of a plan with runs of that plan after a change.
fn compared(prepare: fn(&mut LoadPlan), change: fn(&mut LoadPlan)) -> Comparison {
    let changed = |numbers, changes: &[fn(&mut LoadPlan)]| -> Vec<Report> {
        let mut reports = runs(numbers, 0);
        let plans = reports.iter_mut().map(|report| &mut report.plan);
        plans.for_each(|plan| changes.iter().for_each(|change| change(plan)));
        reports
    };
    compare(&changed(0..3, &[prepare]), &changed(3..6, &[prepare, change]))
}

const fn nothing(_: &mut LoadPlan) {}

fn on_kubernetes(plan: &mut LoadPlan) {
    plan.infrastructure = Infrastructure::Local([LocalInfra::EmulatedKubernetes].into());
}

const fn more_pods(plan: &mut LoadPlan) {
    plan.kubernetes_size = KubernetesSize { nodes: 100, pods: 10_000 };
}

fn cancelling(plan: &mut LoadPlan) {
    plan.scenarios[0].cancellations = Some(Cancellations::default());
}

fn cancellations(plan: &mut LoadPlan) -> &mut Cancellations {
    plan.scenarios[0].cancellations.as_mut().expect("launches are cancelled")
}

fn later(plan: &mut LoadPlan) {
    cancellations(plan).cancel_after = Delays::between(30, 60);
}

fn fewer_probes(plan: &mut LoadPlan) {
    cancellations(plan).probe_every = 10;
}

fn patient(plan: &mut LoadPlan) {
    cancellations(plan).stuck_after = Duration::from_secs(600);
}

fn timed<const STOP: u64>(plan: &mut LoadPlan) {
    let stages = Vec::new();
    plan.scenarios[0].shape = LoadShape::Timed(Timed {
        model: Model::Users { stages, pause: Pause::default() },
        warm_up: Duration::ZERO,
        graceful_stop: Duration::from_secs(STOP),
    });
}

fn scripted<const TIMEOUT: u64>(plan: &mut LoadPlan) {
    plan.script = Some(Script {
        path: "script".into(),
        sha256: "0".to_owned(),
        start: ScriptStart::Itself,
        timeout: Duration::from_secs(TIMEOUT),
    });
}

fn scraped<const SECONDS: u64>(plan: &mut LoadPlan) {
    let interval = Duration::from_secs(SECONDS);
    plan.server_metrics = Some(ServerMetrics { source: MetricsSource::Isolated, interval });
}

fn on_two_infras(plan: &mut LoadPlan) {
    let infras = [LocalInfra::Loopback, LocalInfra::EmulatedAws];
    plan.infrastructure = Infrastructure::Local(infras.into());
    plan.scenarios[0].infras = plan.infrastructure.names();
}

fn judged(plan: &mut LoadPlan, threshold: &str, abort: Option<u64>) {
    let mut threshold: Threshold = threshold.parse().expect("it is a threshold");
    threshold.abort = abort.map(|after| Abort { after: Duration::from_secs(after) });
    plan.thresholds = vec!["api:status p99 < 9s".parse().expect("it is a threshold"), threshold];
}

fn judged_by_two_seconds(plan: &mut LoadPlan) {
    judged(plan, "api:status p95 < 2s", None);
}

fn judged_by_three_seconds(plan: &mut LoadPlan) {
    judged(plan, "api:status p95 < 3s", None);
}

fn ended_by_two_seconds(plan: &mut LoadPlan) {
    judged(plan, "api:status p95 < 2s", Some(10));
}

fn with_allowance(plan: &mut LoadPlan) {
    judged(plan, "api:status error-rate <= 1%", None);
}

fn in_another_order(plan: &mut LoadPlan) {
    plan.thresholds.reverse();
}

fn on_the_first(plan: &mut LoadPlan) {
    plan.scenarios[0].infras.truncate(1);
}

fn slower(plan: &mut LoadPlan) {
    plan.scenario_timeout *= 2;
}

#[rstest]
#[case::pods(on_kubernetes, more_pods, "emulated Kubernetes: 100x1000 in ")]
#[case::delays(cancelling, later, "cancellations: cancelled after 1s..30s, 1 of 5 is a probe ")]
#[case::probes(cancelling, fewer_probes, "cancellations: ")]
#[case::wedges(cancelling, patient, "cancellations: ")]
#[case::stop(timed::<30>, timed::<5>, "graceful stop: api:status 30s in ")]
#[case::timeout(nothing, slower, "scenario timeout: 15m in ")]
#[case::script(scripted::<60>, scripted::<9>, "timeout of the script: 1m in ")]
#[case::scrapes(scraped::<5>, scraped::<1>, "interval of the server's own metrics: 5s in ")]
#[case::infras(on_two_infras, on_the_first, "scenarios on some of the infras: none in ")]
#[case::threshold(nothing, judged_by_two_seconds, "thresholds: none in ")]
#[case::allowance(nothing, with_allowance, "thresholds: none in ")]
#[case::limit(
    judged_by_two_seconds,
    judged_by_three_seconds,
    "thresholds: api:status p95 < 2s, api:status p99 < 9s in "
)]
#[case::abort(
    judged_by_two_seconds,
    ended_by_two_seconds,
    "thresholds that end the load: none in "
)]
fn a_setting_that_shapes_the_load_is_a_condition(
    #[case] prepare: fn(&mut LoadPlan),
    #[case] change: fn(&mut LoadPlan),
    #[case] expected: &str,
) {
    let comparison = compared(prepare, change);
    let [difference] = &comparison.differences[..] else { panic!("{comparison:#?}") };
    assert_eq!((difference.part, difference.may_be_skypilots), (Part::Load, false));
    assert!(difference.to_string().starts_with(expected), "{difference}");
}

#[test]
fn the_order_of_thresholds_is_no_condition() {
    assert_eq!(compared(judged_by_two_seconds, in_another_order).differences, []);
}

/// Threshold that no run meets.
const FAST: &[&str] = &["api:status p95 < 50ms"];

/// Runs that are judged by these thresholds.
fn judged_by(numbers: std::ops::Range<u32>, thresholds: &[&str]) -> Vec<Report> {
    let run = |number| {
        let mut run = evidence(number, 0);
        run.thresholds(thresholds);
        Report::assemble(&run)
    };
    numbers.map(run).collect()
}

#[test]
fn a_threshold_of_the_candidate_alone_is_a_difference_and_no_failure() {
    let comparison = compare(&runs(0..3, 0), &judged_by(3..6, FAST));
    let [difference] = &comparison.differences[..] else { panic!("{comparison:#?}") };
    assert!(difference.to_string().contains("api:status p95 < 50ms in "), "{difference}");
    assert_eq!(comparison.verdict, ComparisonVerdict::Same, "{}", comparison.reason());
    assert!(comparison.failed.is_empty(), "{:?}", comparison.failed);
    assert_eq!(comparison.unjudged, FAST);
    let mut text = Vec::new();
    render_text(&comparison, Detail::Compact, None, &mut text).expect("memory is enough");
    let text = String::from_utf8(text).expect("it is text");
    let note = "threshold that the base lacks, failed in the candidate: api:status p95 < 50ms\n";
    assert!(text.contains(note), "{text}");
}

#[test]
fn a_threshold_that_the_base_has_counts_if_only_the_candidate_fails_by_it() {
    let passed = |mut report: Report| {
        report.findings.clear();
        report
    };
    let base = judged_by(0..3, FAST).into_iter().map(passed).collect::<Vec<_>>();
    let comparison = compare(&base, &judged_by(3..6, FAST));
    assert_eq!(comparison.verdict, ComparisonVerdict::ScenarioFailed, "{}", comparison.reason());
    assert!(comparison.unjudged.is_empty(), "{:?}", comparison.unjudged);
    assert_eq!(comparison.failed, FAST);
}

#[test]
fn the_size_of_a_kubernetes_that_is_not_used_is_no_condition() {
    assert_eq!(compared(nothing, more_pods).differences, []);
}
