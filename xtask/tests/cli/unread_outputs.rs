//! Commands whose standard output is closed early or cannot be written.

use std::fs;

use predicates::prelude::{PredicateBooleanExt as _, predicate};
use skyload::analysis::Verdict;

use crate::support::Site;

#[test]
fn a_closed_output_changes_neither_the_verdict_nor_the_job_summary() -> anyhow::Result<()> {
    let site = Site::new()?;
    let summary = site.path("summary.md");
    let over = ["--api", "status", "--budget", "short-executor=8MiB"];
    let run = site
        .load(over)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary)
        .unread()?
        .run()?;
    run.assert()
        .code(10)
        .stderr(predicate::str::contains("::error"))
        .stderr(predicate::str::contains("roken pipe").not());
    run.expect_in_files(&site, Verdict::OverBudget)?;
    let text = fs::read_to_string(&summary)?;
    assert!(text.contains("**OVER BUDGET**"), "{text}");

    let id = run.run_dir()?.id().to_string();
    let report =
        site.xtask(["report", &id]).env("GITHUB_STEP_SUMMARY", &summary).unread()?.run()?;
    report.assert().code(10).stderr("");
    assert_eq!(fs::read_to_string(&summary)?, text.repeat(2));
    for args in [vec!["report", &id, "--format", "json"], vec!["runs"], vec!["recommend", &id]] {
        let unread = site.xtask(&args).unread()?.run()?;
        let read = site.xtask(&args).run()?;
        assert_eq!(unread.output.status.code(), read.output.status.code(), "{args:?}");
        assert_eq!(unread.stderr(), read.stderr(), "{args:?}");
    }
    Ok(())
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status"]).run()?;
    let id = run.run_dir()?.id().to_string();
    let report = site.xtask(["report", &id]).on_full_disk()?.run()?;
    let message = "writing the report: No space left on device";
    report.assert().code(1).stderr(predicate::str::contains(message));
    Ok(())
}
