//! `--server URL`: a server that is elsewhere, as far as a run can tell.

use fake_sky::FakeServer;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use rstest::rstest;
use skyload::analysis::{Severity, Verdict};

use crate::support::{Site, assert_finding};

#[test]
fn a_remote_server_is_loaded_and_left_alone() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let pid = server.main().map(|main| main.pid);
    let url = server.url();
    let run = site.load(["--server", &url, "--api", "all", "-r", "all"]).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    assert_finding(&report, Severity::Note, "its memory was not measured");
    assert!(report.summary.is_none() && report.memory.is_none() && report.budgets.is_empty());
    run.assert()
        .stdout(predicate::str::contains("MONITORING SUMMARY").not())
        .stdout(predicate::str::contains("api:cli_status"))
        .stderr(predicate::str::contains("no restart, no memory profile"));
    assert_eq!(server.main().map(|main| main.pid), pid, "nobody has restarted it");
    server.finish()
}

/// A refusal that would be right on a server without consolidation, or without a cloud.
#[rstest]
#[case::by_a_server_that_consolidates(
    "sky.jobs.queue:1",
    "",
    "jobs_queue",
    Verdict::ScenarioFailed
)]
#[case::by_a_server_with_a_cloud("sky.launch:1", "aws", "launch_dryrun", Verdict::ScenarioFailed)]
#[case::by_a_server_without_one("sky.launch:1", "", "launch_dryrun", Verdict::Pass)]
fn a_refusal_is_judged_by_what_the_server_is(
    #[case] refused: &str,
    #[case] infra: &str,
    #[case] scenario: &str,
    #[case] verdict: Verdict,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let mut settings = vec![("FAKE_SKY_REFUSE", refused)];
    if !infra.is_empty() {
        settings.push(("FAKE_SKY_INFRA", infra));
    }
    let server = FakeServer::start(&settings)?;
    let run = site.load(["--server", &server.url(), "--api", scenario]).run()?;
    run.expect(&site, verdict)?;
    server.finish()
}

#[test]
fn a_refusal_by_a_server_that_does_not_consolidate_is_right() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[("FAKE_SKY_CONSOLIDATION", "0")])?;
    let run = site.load(["--server", &server.url(), "--api", "jobs_queue"]).run()?;
    run.expect(&site, Verdict::Pass)?;
    server.finish()
}

#[test]
fn a_refusal_that_nobody_can_judge_is_no_success() -> anyhow::Result<()> {
    let site = Site::new()?;
    // A server that does not list its own requests, as to a user who may not see them.
    let server = FakeServer::start(&[("FAKE_SKY_CONSOLIDATION", "0"), ("FAKE_SKY_DAEMONS", "0")])?;
    let run = site.load(["--server", &server.url(), "--api", "jobs_queue"]).run()?;
    let report = run.expect(&site, Verdict::Inconclusive)?;
    let words = "would be right only on a server that does not run managed jobs itself";
    assert_finding(&report, Severity::Inconclusive, words);
    run.assert().stdout(predicate::str::contains("refused; nobody can tell whether rightly"));
    server.finish()
}

#[test]
fn a_remote_server_that_is_not_there_is_an_error() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--server", "http://127.0.0.1:9"]).run()?;
    run.assert()
        .code(1)
        .stderr(predicate::str::contains("the server at http://127.0.0.1:9/ cannot be loaded"))
        .stderr(predicate::str::contains("hint: check the address"));
    Ok(())
}
