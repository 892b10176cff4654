//! Servers that do not start, die, or are replaced, and runs that cannot write their end.

use std::fs;

use predicates::prelude::predicate;
use rstest::rstest;
use skyload::analysis::{Severity, Verdict};
use skyload::record::profile::Phase;

use crate::support::{Site, assert_finding};

#[test]
fn a_server_that_exits_during_startup_is_an_error_with_its_log() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load([""; 0]).fake("EXIT_AT_START", "no such table: users").run()?;
    run.assert()
        .code(1)
        .stdout("")
        .stderr(predicate::str::contains("no such table: users"))
        .stderr(predicate::str::contains("has no result"));
    site.assert_nothing_is_left();
    assert!(!run.run_dir()?.instance().exists());
    Ok(())
}

/// Executors of a lost server survive, and are found and killed as orphans.
#[rstest]
#[case::dead("DIE_AFTER_MS", "the server died after ")]
#[case::replaced("REPLACE_AFTER_MS", "the server was replaced after ")]
fn a_server_that_is_lost_makes_the_run_inconclusive(
    #[case] fault: &str,
    #[case] finding: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load([""; 0]).fake("SERVICE_MS", 30_000).fake(fault, 1_000).run()?;
    let report = run.expect(&site, Verdict::Inconclusive)?;
    assert_finding(&report, Severity::Inconclusive, finding);
    assert!(run.run_dir()?.server_log_tail().exists(), "the end of the log is saved");
    Ok(())
}

#[test]
fn a_server_is_stopped_although_the_end_of_its_log_cannot_be_saved() -> anyhow::Result<()> {
    let site = Site::new()?;
    let running = site.load(["--api", "status"]).start()?;
    let directory = running.phase(Phase::Baseline)?;
    fs::create_dir(directory.server_log_tail())?;
    let run = running.finish()?;
    run.assert()
        .code(1)
        .stderr(predicate::str::contains("saving the end of the server's log"))
        .stderr(predicate::str::contains("has no result"));
    site.assert_nothing_is_left();
    assert!(!directory.instance().exists());
    Ok(())
}
