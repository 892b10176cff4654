//! Sentences and legends of the HTML report that depend on the run.

use rstest::rstest;
use serde_json::Value;
use skyload::analysis::Evidence;
use skyload::class::ProcessClass;
use skyload::metric::{Amount, Metric, ServerMetric};
use skyload::plan::ServerTarget;
use skyload::record::events::Event;
use skyload::record::resources::Stage;
use skyload::units::ByteSize;

use super::changes::{Change, resource_fails, slow};
use super::evidence::{ALL_ENDED, four_users, good_run};
use super::pages::{data, heading, page};
use super::shapes::with_warm_up;

fn class_over_budget(run: &mut Evidence) {
    run.limit(Metric::max_peak(ProcessClass::ShortExecutor), ByteSize::mib(100));
}

fn threads_over_budget(run: &mut Evidence) {
    run.limit(ServerMetric::Threads, Amount::Count(1));
}

fn leaked_processes(run: &mut Evidence) {
    run.limit(ServerMetric::LeakedProcesses, Amount::Count(0));
    run.happens(ALL_ENDED, Event::LeakedProcesses(vec!["a".to_owned()]));
}

#[rstest]
#[case::class(class_over_budget, "OVER BUDGET", "the budget for short-executor was exceeded.")]
#[case::threads(threads_over_budget, "OVER BUDGET", "the budget for threads was exceeded.")]
#[case::several(
    |run: &mut Evidence| { threads_over_budget(run); leaked_processes(run) },
    "OVER BUDGET", "budgets were exceeded: threads, leaked-processes.")]
#[case::failed_iteration(
    |run: &mut Evidence| run.fail_iterations(1),
    "SCENARIO FAILED", "iterations failed or timed out.")]
#[case::threshold(slow, "SCENARIO FAILED", "threshold breached.")]
#[case::setup(
    |run: &mut Evidence| resource_fails(run, Stage::SetUp, "no"),
    "SCENARIO FAILED", "setup of shared resources failed.")]
#[case::teardown(
    |run: &mut Evidence| resource_fails(run, Stage::TearDown, "no"),
    "SCENARIO FAILED", "teardown failed; resources may still exist.")]
#[case::failed_iteration_and_teardown(
    |run: &mut Evidence| { run.fail_iterations(1); resource_fails(run, Stage::TearDown, "no") },
    "SCENARIO FAILED", "iterations failed or timed out.")]
fn the_heading_has_the_verdict_and_its_reason(
    #[case] change: fn(&mut Evidence),
    #[case] verdict: &str,
    #[case] sentence: &str,
) {
    let mut run = good_run(&four_users());
    change(&mut run);
    assert_eq!(heading(&page(&run)), format!("<strong>{verdict}</strong>: {sentence}"));
}

/// Evidence of a run with two segments, on a server that was restarted for the run or not.
pub(crate) fn two_iterations(restarted: bool) -> Evidence {
    let mut run = good_run(&four_users());
    let segment = run.segment().clone();
    run.status().segments.push(segment);
    if !restarted {
        let url = "http://127.0.0.1:1".parse().expect("a valid URL");
        run.plan.server = ServerTarget::Remote(url);
    }
    run
}

/// Whether the legend has an entry for a kind of start.
fn explains(page: &str, start: &str) -> bool {
    page.contains(&format!("<li class=\"{start}\">"))
}

#[test]
fn iterations_on_a_server_that_was_not_restarted_are_neither_cold_nor_warm() {
    let page = page(&two_iterations(false));
    let data = data(&page);
    for part in [&data["scenarios"][0]["segments"], &data["distributions"][0]["segments"]] {
        let starts = part.as_array().expect("a JSON array").iter().map(|segment| &segment["look"]);
        assert!(starts.clone().all(|start| start == "unknown") && starts.count() > 0, "{part}");
    }
    assert!(page.contains("class=\"strip unknown\"") && !page.contains("class=\"strip cold\""));
    assert!(explains(&page, "unknown") && !explains(&page, "cold") && !explains(&page, "warm"));
}

#[test]
fn iterations_on_a_server_that_was_restarted_are_cold_and_warm() {
    let page = page(&two_iterations(true));
    let segments = data(&page)["scenarios"][0]["segments"].clone();
    let starts: Vec<&Value> = (0..2).map(|segment| &segments[segment]["look"]).collect();
    assert_eq!(starts, ["cold", "warm"]);
    assert!(!explains(&page, "unknown") && explains(&page, "cold") && explains(&page, "warm"));
}

#[rstest]
#[case::iterations(two_iterations(true), "start", "first iteration after the start of the server")]
#[case::a_stage_beside_the_health_probe(
    with_warm_up(),
    "start or stage",
    "first iteration or stage after the start of the server"
)]
fn segments_are_called_what_they_are(
    #[case] run: Evidence,
    #[case] heading: &str,
    #[case] cold: &str,
) {
    let page = page(&run);
    assert!(page.contains(&format!("<th scope=\"col\">{heading}</th>")), "{page}");
    assert!(page.contains(&format!("cold: {cold}")), "{page}");
}
