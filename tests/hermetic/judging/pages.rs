//! HTML report: contents, order and size, and text from a server, which must be escaped.

use rstest::rstest;
use serde_json::Value;
use skyload::analysis::{ChartData, Evidence, Report};
use skyload::metric::{Amount, Limit, ServerMetric};
use skyload::plan::ServerTarget;
use skyload::record::events::{Event, StopReason};
use skyload::record::profile::ProfileLine;
use skyload::record::request::LoadRequest;
use skyload::render::html;
use skyload::units::{ByteSize, as_mib};

use super::changes::Change;
use super::evidence::{ALL_ENDED, four_users, good_run, run_with_only_a_plan};
use super::hour::{EXECUTORS, MARKUP, SPIKE, hour_run};
use super::series::active_run;

/// HTML report of a run.
pub(crate) fn page(evidence: &Evidence) -> String {
    let mut page = Vec::new();
    let report = Report::assemble(evidence);
    let data = ChartData::assemble(&report, evidence);
    html::render(&report, &data, &mut page).expect("writing to memory cannot fail");
    String::from_utf8(page).expect("output is UTF-8")
}

/// Data block of the charts.
pub(super) fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").expect("the page has chart data");
    let (json, _) = rest.split_once("</script>").expect("the part has an end");
    serde_json::from_str(json).expect("valid JSON")
}

pub(super) fn heading(page: &str) -> &str {
    let (_, rest) = page.split_once("<h1>").expect("the page has a heading");
    rest.split_once("</h1>").expect("the part has an end").0
}

#[rstest]
#[case::pass(|_: &mut Evidence| {}, "PASS", "cargo xtask recommend 20261124-080000-test")]
#[case::failed(|run: &mut Evidence| run.fail_iterations(1), "SCENARIO FAILED", "1 of 4 iterations failed")]
#[case::over_budget(
    |run: &mut Evidence| run.plan.budgets.push(Limit {
        metric: ServerMetric::TreeRss.into(), at_most: Some(Amount::Size(ByteSize::mib(500))) }),
    "OVER BUDGET", "tree-rss: 530.0 MiB")]
#[case::inconclusive(
    |run: &mut Evidence| run.happens(6_000, Event::LoadStopped(StopReason::Interrupted)),
    "INCONCLUSIVE", "interrupted after 6.0 s")]
fn the_verdict_comes_first_and_the_next_step_second(
    #[case] change: fn(&mut Evidence),
    #[case] verdict: &str,
    #[case] next: &str,
) {
    let mut run = good_run(&four_users());
    change(&mut run);
    let page = page(&run);
    assert!(heading(&page).starts_with(&format!("<strong>{verdict}</strong>: ")));
    let next = page.split("class=\"next\">").nth(1).expect("the page has a next step").find(next);
    assert!(next.is_some_and(|position| position < 200), "the next step begins with the command");
    let positions =
        ["<h1>", "class=\"next\"", "Key figures", "Findings", "Server memory", "Latency"]
            .map(|part| page.find(part));
    assert!(positions.is_sorted() && positions[0].is_some(), "{positions:?}");
}

#[test]
fn chart_data_has_phases_scenarios_and_budgets() {
    let data = data(&page(&good_run(&four_users())));
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().expect("a JSON array");
        list.iter().map(|entry| entry["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(names(&data["phases"]), ["baseline", "load", "cooldown"]);
    assert_eq!(names(&data["scenarios"]), ["api:status", "probe:health"]);
    let charts = data["charts"].as_array().expect("a JSON array");
    let ids: Vec<&str> = charts.iter().filter_map(|chart| chart["id"].as_str()).collect();
    assert_eq!(ids, ["memory-sum", "memory-largest", "processes", "cpu", "machine-memory"]);
    assert_eq!(names(&charts[1]["series"]), ["server", "short-executor"]);
    assert_eq!(names(&charts[1]["limits"]), ["budget: server", "budget: short-executor"]);
    // Iterations of 1, 2, 3 and 4 s, in buckets of a tenth of a decade of microseconds.
    let iterations = &data["distributions"][0]["segments"][0]["counts"];
    assert_eq!(*iterations, serde_json::json!([[60, 1], [63, 1], [64, 1], [66, 1]]));
}

#[test]
fn charts_of_the_load_show_active_iterations_and_starts_of_each_window() {
    let data = data(&page(&active_run()));
    let chart = |id: &str| {
        let charts = data["charts"].as_array().expect("a JSON array");
        charts.iter().find(|chart| chart["id"] == id).unwrap_or_else(|| panic!("no chart {id}"))
    };
    let [in_flight, starts] = ["in-flight", "starts"].map(chart);
    for (chart, values) in
        [(in_flight, [0.0, 4.0, 4.0, 4.0, 0.0, 0.0]), (starts, [0.0, 4.0, 0.0, 0.0, 0.0, 0.0])]
    {
        assert_eq!(chart["series"][0]["name"], "API scenarios", "not the health probe");
        assert_eq!(chart["series"][0]["values"], serde_json::json!(values));
        assert_eq!(chart["series"].as_array().map(Vec::len), Some(1));
    }
}

#[test]
fn a_page_has_no_secrets() {
    let mut run = good_run(&four_users());
    let environment = run.environment.as_mut().expect("a good run has one");
    environment.client.variables = vec![("TOKEN".to_owned(), "s3cret".to_owned())];
    environment.client.without = vec!["AWS_s3cret".to_owned()];
    let address = "http://me:s3cret@127.0.0.1:46600".parse().expect("a valid URL");
    environment.client.endpoint = address;
    assert!(!page(&run).contains("s3cret"));

    let url = "http://me:s3cret@127.0.0.1:1";
    let request = LoadRequest { server: Some(url.to_owned()), ..four_users() };
    let mut run = good_run(&request);
    run.plan.server = ServerTarget::Remote(url.parse().expect("a valid URL"));
    let page = page(&run);
    assert!(!page.contains("s3cret") && page.contains("remote"));
}

#[test]
fn a_page_of_an_hour_with_a_hundred_processes_is_below_2_mb_and_keeps_a_spike() {
    let page = page(&hour_run());
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    let charts = &data(&page)["charts"];
    let values = charts[1]["series"][3]["values"].as_array().expect("a JSON array");
    assert!(values.len() <= 2_000, "{}", values.len());
    assert_eq!(values.iter().filter_map(Value::as_f64).fold(0.0, f64::max), as_mib(SPIKE));
    assert!(page.contains(">777.0</td>"), "the table of the chart has the spike too");
    let lines = page.matches("<polyline class=\"no-request\"").count();
    assert_eq!(lines, EXECUTORS as usize, "each executor has a line");
    assert!(page.matches("<polyline class=\"kind-").count() >= 1_000);
}

#[test]
fn text_from_a_server_is_escaped() {
    let page = page(&hour_run());
    assert!(!page.contains(MARKUP));
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "the text is shown");
    let (_, block) = page.split_once("id=\"data\">").expect("the page has chart data");
    let (json, _) = block.split_once("</script>").expect("the part has an end");
    assert!(!json.contains(['<', '>', '&']));
}

#[test]
fn a_page_loads_nothing_and_has_a_policy_against_loading() {
    let page = page(&good_run(&four_users()));
    let (_, rest) = page
        .split_once("Content-Security-Policy\" content=\"")
        .expect("the page has a Content-Security-Policy");
    let policy = rest.split('"').next().expect("the part has an end");
    assert!(
        policy.contains("default-src &#39;none&#39;") && !policy.contains("unsafe"),
        "{policy}"
    );
    let body = page.replace(include_str!("../../../src/render/html/vendor/uPlot.iife.min.js"), "");
    for loads in [" src=", "<link rel=\"stylesheet", "http://", "https://"] {
        assert!(!body.contains(loads), "{loads}");
    }
}

#[test]
fn the_page_of_a_run_with_incomplete_files_has_the_findings() {
    let mut run = good_run(&four_users());
    run.silence(6_000, ALL_ENDED + 1);
    run.processes = None;
    run.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. }));
    run.damage.push("`samples.jsonl` ends in an incomplete line".to_owned());
    let page = page(&run);
    assert!(heading(&page).contains("INCONCLUSIVE"));
    assert!(page.contains("`samples.jsonl` ends in an incomplete line"));
    let until = data(&page)["until"].as_f64().expect("a number of seconds");
    assert_eq!(until, 14.0, "the axis extends to the last event, after the last sample");
}

#[test]
fn a_run_with_only_a_plan_has_a_page() {
    let page = page(&run_with_only_a_plan());
    assert!(page.contains("The profiler wrote no sample") && page.contains("No iterations ran."));
    assert!(page.contains("No requests sent."));
    assert_eq!(data(&page)["charts"], serde_json::json!([]));
}
