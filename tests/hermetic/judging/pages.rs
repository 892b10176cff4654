//! The report as a page: what is in it, and what must never be.

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
use super::evidence::{ALL_ENDED, four_users, good_run, hardly_anything_of_a_run};
use super::hour::{MARKUP, SPIKE, hour_run};

pub(crate) fn page(evidence: &Evidence) -> String {
    let mut page = Vec::new();
    let report = Report::assemble(evidence);
    let data = ChartData::assemble(&report, evidence);
    html::render(&report, &data, &mut page).expect("memory takes everything");
    String::from_utf8(page).expect("it is text")
}

/// The block that charts are drawn from.
pub(super) fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").expect("there is a block of data");
    let (json, _) = rest.split_once("</script>").expect("it ends");
    serde_json::from_str(json).expect("it is JSON")
}

pub(super) fn heading(page: &str) -> &str {
    let (_, rest) = page.split_once("<h1>").expect("there is a heading");
    rest.split_once("</h1>").expect("it ends").0
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
fn the_verdict_comes_first_and_then_what_to_do(
    #[case] change: fn(&mut Evidence),
    #[case] verdict: &str,
    #[case] next: &str,
) {
    let mut run = good_run(&four_users());
    change(&mut run);
    let page = page(&run);
    assert!(heading(&page).starts_with(&format!("<strong>{verdict}</strong>: ")));
    let next = page.split("class=\"next\">").nth(1).expect("it is said").find(next);
    assert!(next.is_some_and(|position| position < 200), "it is said at once");
    let positions =
        ["<h1>", "class=\"next\"", "Key figures", "Findings", "Server memory", "Latency"]
            .map(|part| page.find(part));
    assert!(positions.is_sorted() && positions[0].is_some(), "{positions:?}");
}

#[test]
fn charts_have_budgets_phases_and_scenarios() {
    let data = data(&page(&good_run(&four_users())));
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().expect("it is a list");
        list.iter().map(|entry| entry["name"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(names(&data["phases"]), ["baseline", "load", "cooldown"]);
    assert_eq!(names(&data["scenarios"]), ["api:status", "probe:health"]);
    let charts = data["charts"].as_array().expect("it is a list");
    let ids: Vec<&str> = charts.iter().filter_map(|chart| chart["id"].as_str()).collect();
    assert_eq!(ids, ["memory-sum", "memory-largest", "processes", "cpu", "machine-memory"]);
    assert_eq!(names(&charts[1]["series"]), ["server", "short-executor"]);
    assert_eq!(names(&charts[1]["limits"]), ["budget: server", "budget: short-executor"]);
    // Of four iterations of 1, 2, 3 and 4 seconds.
    let iterations = &data["distributions"][0]["segments"][0]["counts"];
    assert_eq!(*iterations, serde_json::json!([[60, 1], [63, 1], [64, 1], [66, 1]]));
}

#[test]
fn no_secret_is_in_it() {
    let mut run = good_run(&four_users());
    let environment = run.environment.as_mut().expect("it is good");
    environment.client.variables = vec![("TOKEN".to_owned(), "s3cret".to_owned())];
    environment.client.without = vec!["AWS_s3cret".to_owned()];
    let address = "http://me:s3cret@127.0.0.1:46600".parse().expect("it is an address");
    environment.client.endpoint = address;
    assert!(!page(&run).contains("s3cret"));

    let url = "http://me:s3cret@127.0.0.1:1";
    let request = LoadRequest { server: Some(url.to_owned()), ..four_users() };
    let mut run = good_run(&request);
    run.plan.server = ServerTarget::Remote(url.parse().expect("it is an address"));
    let page = page(&run);
    assert!(!page.contains("s3cret") && page.contains("remote"));
}

#[test]
fn an_hour_of_a_hundred_processes_is_under_two_megabytes_and_keeps_its_spike() {
    let page = page(&hour_run());
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    let charts = &data(&page)["charts"];
    let values = charts[1]["series"][3]["values"].as_array().expect("it is a list");
    assert!(values.len() <= 2_000, "{}", values.len());
    assert_eq!(values.iter().filter_map(Value::as_f64).fold(0.0, f64::max), as_mib(SPIKE));
    assert!(page.contains(">777.0</td>"), "and so does the table behind the chart");
}

#[test]
fn what_a_server_says_is_text() {
    let page = page(&hour_run());
    assert!(!page.contains(MARKUP));
    assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "it is shown all the same");
    let (_, block) = page.split_once("id=\"data\">").expect("there is a block of data");
    let (json, _) = block.split_once("</script>").expect("it ends");
    assert!(!json.contains(['<', '>', '&']));
}

#[test]
fn it_loads_nothing_and_says_so_to_the_browser() {
    let page = page(&good_run(&four_users()));
    let (_, rest) = page.split_once("Content-Security-Policy\" content=\"").expect("it is there");
    let policy = rest.split('"').next().expect("it ends");
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
fn a_run_that_was_cut_off_has_a_page_that_says_so() {
    let mut run = good_run(&four_users());
    run.silence(6_000, ALL_ENDED + 1);
    run.processes = None;
    run.profile.retain(|line| !matches!(line, ProfileLine::Footer { .. }));
    run.damage.push("`samples.jsonl` ends in an incomplete line".to_owned());
    let page = page(&run);
    assert!(heading(&page).contains("INCONCLUSIVE"));
    assert!(page.contains("`samples.jsonl` ends in an incomplete line"));
    let until = data(&page)["until"].as_f64().expect("it is a time");
    assert_eq!(until, 14.0, "what came after the last tick is on the axis");
}

#[test]
fn a_run_of_which_nothing_is_known_has_a_page() {
    let page = page(&hardly_anything_of_a_run());
    assert!(page.contains("The profiler wrote no sample") && page.contains("No iterations ran."));
    assert!(page.contains("No requests sent."));
    assert_eq!(data(&page)["charts"], serde_json::json!([]));
}
