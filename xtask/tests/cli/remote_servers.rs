//! `--server URL`: a remote server, as far as a run can tell.

use std::collections::BTreeSet;

use fake_sky::FakeServer;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use rstest::rstest;
use skyload::analysis::{Severity, Verdict};

use crate::support::{Site, assert_finding};

#[test]
fn a_remote_server_is_loaded_and_not_restarted() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let pid = server.main().map(|main| main.pid);
    let url = server.url();
    let run = site.load(["--server", &url, "--api", "all", "-r", "all"]).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    assert_finding(&report, Severity::Note, "memory not measured");
    assert!(report.summary.is_none() && report.memory.is_none() && report.budgets.is_empty());
    run.assert()
        .stdout(predicate::str::contains("MONITORING SUMMARY").not())
        .stdout(predicate::str::contains("api:cli_status"))
        .stderr(predicate::str::contains("no restart, no memory profile"));
    assert_eq!(server.main().map(|main| main.pid), pid, "the same process still runs");
    server.finish()
}

#[test]
fn distinct_users_are_skypilot_users_of_their_own() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let users = |args: &[&str]| -> anyhow::Result<usize> {
        let url = server.url();
        let before = user_ids(&server)?;
        let base = ["--server", &url, "--api", "status", "validate", "-r", "status", "-n", "3"];
        let run = site.load(base.iter().chain(args)).run()?;
        run.expect(&site, Verdict::Pass)?;
        Ok(user_ids(&server)?.difference(&before).count())
    };
    assert_eq!(users(&["--iterations", "2"])?, 1);
    assert_eq!(users(&["--iterations", "2", "--distinct-users"])?, 3);
    server.finish()
}

/// Ids of the users whose requests of `api:status` a server has on record.
fn user_ids(server: &FakeServer) -> anyhow::Result<BTreeSet<String>> {
    let url = format!("{}/api/status?all_status=True", server.url());
    let rows = fake_sky::http::get(&url)?.json()?;
    let rows = rows.as_array().into_iter().flatten();
    let of_scenario =
        rows.filter(|row| row["request_body"].to_string().contains("skyload api:status"));
    let ids = of_scenario.filter_map(|row| row["user_id"].as_str());
    Ok(ids.map(str::to_owned).collect())
}

/// Error response that is expected on a server without consolidation, or without a cloud.
#[rstest]
#[case::by_a_server_that_consolidates(
    "sky.jobs.queue:1",
    "",
    "jobs_queue",
    Verdict::ScenarioFailed
)]
#[case::by_a_server_with_a_cloud("sky.launch:1", "aws", "launch_dryrun", Verdict::ScenarioFailed)]
#[case::by_a_server_without_one("sky.launch:1", "", "launch_dryrun", Verdict::Pass)]
fn whether_an_error_is_expected_depends_on_the_server(
    #[case] fault: &str,
    #[case] infra: &str,
    #[case] scenario: &str,
    #[case] verdict: Verdict,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let mut settings = vec![("FAKE_SKY_REFUSE", fault)];
    if !infra.is_empty() {
        settings.push(("FAKE_SKY_INFRA", infra));
    }
    let server = FakeServer::start(&settings)?;
    let run = site.load(["--server", &server.url(), "--api", scenario]).run()?;
    run.expect(&site, verdict)?;
    server.finish()
}

#[test]
fn an_error_of_a_server_that_does_not_consolidate_is_expected() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_CONSOLIDATION", "0")])?;
    let run = site.load(["--server", &server.url(), "--api", "jobs_queue"]).run()?;
    run.expect(&site, Verdict::Pass)?;
    server.finish()
}

#[test]
fn an_error_that_may_be_expected_is_inconclusive() -> anyhow::Result<()> {
    let site = Site::new()?;
    // The server does not list its daemons, as for a user without permission to see them.
    let server = FakeServer::start(&[("FAKE_SKY_CONSOLIDATION", "0"), ("FAKE_SKY_DAEMONS", "0")])?;
    let run = site.load(["--server", &server.url(), "--api", "jobs_queue"]).run()?;
    let report = run.expect(&site, Verdict::Inconclusive)?;
    let words = "expected only on a server that does not run managed jobs itself";
    assert_finding(&report, Severity::Inconclusive, words);
    run.assert().stdout(predicate::str::contains("unjudged: expected only on"));
    server.finish()
}

#[test]
fn an_unreachable_remote_server_is_an_error() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--server", "http://127.0.0.1:9"]).run()?;
    run.assert()
        .code(1)
        .stderr(predicate::str::contains("cannot reach the API server at http://127.0.0.1:9/: "))
        .stderr(predicate::str::contains("hint: check the URL"));
    Ok(())
}
