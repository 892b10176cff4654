//! `cargo xtask report`, and reports in JSON.

use std::fs;

use predicates::prelude::predicate;
use skyload::analysis::{Report, Verdict};
use skyload::record::RunDir;

use crate::support::Site;

#[test]
fn the_report_of_a_finished_run_is_reproduced() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status", "--format", "json"]).run()?;
    run.assert().code(0);
    let report = run.expect_in_files(&site, Verdict::Pass)?;
    let printed: Report = serde_json::from_slice(&run.output.stdout)?;
    assert_eq!(printed, report, "standard output is the report and nothing else");

    let page = run.run_dir()?.report_html();
    assert!(fs::read_to_string(&page)?.contains("<h1><strong>PASS</strong>: "));
    fs::remove_file(&page)?;

    let id = report.run.to_string();
    let again = site.xtask(["report", &id, "--format", "json"]).run()?;
    again.assert().code(0).stderr("");
    assert_eq!(serde_json::from_slice::<Report>(&again.output.stdout)?, report);

    let samples = run.run_dir()?.samples();
    let text = fs::read_to_string(&samples)?;
    fs::write(&samples, &text[..text.len() - 10])?;
    let path = run.run_dir()?.path().display().to_string();
    let cut = site.xtask(["report", &path]).run()?;
    cut.assert()
        .code(12)
        .stdout(predicate::str::contains("MONITORING SUMMARY"))
        .stdout(predicate::str::contains("samples.jsonl` ends in an incomplete line"))
        .stdout(predicate::str::contains("VERDICT: INCONCLUSIVE (exit code 12)"))
        .stdout(predicate::str::contains(format!("HTML report: {}", page.display())));
    let text = fs::read_to_string(&page)?;
    assert!(text.contains("<h1><strong>INCONCLUSIVE</strong>: "), "the page was written again");
    assert!(text.contains("samples.jsonl` ends in an incomplete line"));
    Ok(())
}

#[test]
fn series_are_written_on_request_and_again_from_the_runs_files() -> anyhow::Result<()> {
    let site = Site::new()?;
    let results = site.path("results");
    let out = results.display().to_string();
    let load = site.load(["--api", "status", "--out", &out, "--out-series", "csv"]).run()?;
    load.assert().code(0);
    let run = RunDir::open(&results.join("latest"))?;
    let csv = fs::read_to_string(run.series("csv"))?;
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.first(), Some(&"time,seconds,source,subject,metric,unit,value"));
    for wanted in [
        ",profile,server,rss-max,MiB,",
        ",machine,machine,memory-available,GiB,",
        ",scenario,api:status,latency-p95,s,",
        ",scenario,probe:health,ended,count,",
    ] {
        assert!(rows.iter().any(|row| row.contains(wanted)), "{wanted}");
    }
    assert!(!run.series("jsonl").exists());
    let path = run.path().display().to_string();
    site.xtask(["report", &path, "--out-series", "jsonl"]).run()?.assert().code(0);
    let jsonl = fs::read_to_string(run.series("jsonl"))?;
    assert_eq!(jsonl.lines().count() + 1, rows.len(), "as many as the rows after the header");
    Ok(())
}

#[test]
fn upstreams_figures_are_shown_on_request() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status", "--upstream-figures"]).run()?;
    let report = run.expect(&site, Verdict::Pass)?;
    let summary = report.summary.expect("it was profiled");
    assert!(summary.upstream.is_some_and(|upstream| upstream.short_peak.is_some()));
    run.assert().stdout(predicate::str::contains("EXECUTORS, in MiB (upstream: RSS of"));
    let without = site.load(["--api", "status"]).run()?;
    let summary = without.expect(&site, Verdict::Pass)?.summary.expect("it was profiled");
    assert_eq!(summary.upstream, None);
    Ok(())
}

#[test]
fn a_run_that_is_not_found_is_an_error_that_names_similar_ones() -> anyhow::Result<()> {
    let site = Site::new()?;
    let fails = |name: &str, message: &str| -> anyhow::Result<()> {
        let report = site.xtask(["report", name]).run()?;
        report.assert().code(2).stdout("").stderr(predicate::str::contains(message));
        Ok(())
    };
    fails("NOPE", "run or profile `NOPE` not found: no runs yet\n  hint: start one with `cargo")?;
    let run = RunDir::create(&site.path("state/runs/20200101-000000-00aa"))?;
    fails("NOPE", "`NOPE` not found; the newest is `20200101-000000-00aa`\n  hint: `cargo xtask")?;
    fails("20200101", "; did you mean `20200101-000000-00aa`?")?;
    // The run ended before it wrote any file.
    fails(run.id().as_str(), "`20200101-000000-00aa` is not a run or profile: no plan.json")?;
    Ok(())
}
