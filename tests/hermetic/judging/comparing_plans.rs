//! Comparisons of runs whose plans differ in one setting.

use std::time::Duration;

use rstest::rstest;
use skyload::analysis::Report;
use skyload::comparison::{Comparison, Part};
use skyload::infrastructure::{Infrastructure, KubernetesSize, LocalInfra};
use skyload::plan::{Cancellations, LoadPlan, MetricsSource, Script, ScriptStart, ServerMetrics};
use skyload::shape::{Delays, LoadShape, Model, Pause, Timed};

use super::comparing::{compare, runs};

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
fn the_size_of_a_kubernetes_that_is_not_used_is_no_condition() {
    assert_eq!(compared(nothing, more_pods).differences, []);
}
