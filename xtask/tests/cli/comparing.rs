//! `cargo xtask compare`: verdict on two SkyPilots from finished runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use predicates::prelude::predicate;
use serde_json::Value;
use skyload::analysis::Verdict;
use skyload::comparison::{Comparison, ComparisonVerdict};
use skyload::record::read_json;

use crate::support::{Finished, Schema, Site};

/// Copies of a finished run, under ids of their own. All have equal amounts, so that nothing
/// depends on the noise of this machine.
pub(crate) fn copies(site: &Site, of: &Finished, count: usize) -> anyhow::Result<Vec<PathBuf>> {
    let run = of.run_dir()?;
    let copy = |number| -> anyhow::Result<PathBuf> {
        let to = site.path(format!("{}-{number}", run.id()));
        let status = Command::new("cp").arg("-r").arg(run.path()).arg(&to).status()?;
        ensure!(status.success(), "copying {} failed", run.path().display());
        Ok(to)
    };
    (0..count).map(copy).collect()
}

/// `compare` of two sets of runs with the default settings.
fn compare(site: &Site, base: &[PathBuf], candidate: &[PathBuf]) -> anyhow::Result<Finished> {
    compare_with(site, base, candidate, &[])
}

fn compare_with(
    site: &Site,
    base: &[PathBuf],
    candidate: &[PathBuf],
    flags: &[&str],
) -> anyhow::Result<Finished> {
    let paths = |runs: &[PathBuf]| -> Vec<String> {
        runs.iter().map(|run| run.display().to_string()).collect()
    };
    let flags = flags.iter().map(|flag| (*flag).to_owned());
    let args = ["compare".to_owned()].into_iter().chain(paths(base)).chain(["--with".to_owned()]);
    site.xtask(args.chain(paths(candidate)).chain(flags)).run()
}

/// Latest comparison of the site, checked against its schema.
fn latest(site: &Site) -> anyhow::Result<Comparison> {
    let folder = site.path("state/comparisons/latest");
    let json: Value = read_json(&folder.join("compare.json"), "comparison")?;
    Schema::of(skyload::schema::COMPARISON_FILE)?.check(&json).context("compare.json")?;
    for file in ["compare.md", "compare.html"] {
        ensure!(fs::metadata(folder.join(file))?.len() > 0, "{file} is empty");
    }
    Ok(serde_json::from_value(json)?)
}

#[test]
fn equal_runs_are_the_same_a_heavier_executor_is_worse_and_a_failure_of_its_own_fails()
-> anyhow::Result<()> {
    let site = Site::new()?;
    let base = site.load(["--api", "status"]).run()?;
    base.expect(&site, Verdict::Pass)?;
    let base = copies(&site, &base, 6)?;
    let (base, same) = base.split_at(3);

    let shown = compare(&site, base, same)?;
    shown.assert().code(0).stderr("").stdout(predicate::str::contains("VERDICT: SAME"));
    let comparison = latest(&site)?;
    assert_eq!(comparison.verdict, ComparisonVerdict::Same);
    assert!(comparison.deciding().count() >= 4, "{:#?}", comparison.metrics);

    let heavy = site.load(["--api", "status"]).fake("EXECUTOR_MIB", 124).run()?;
    let heavy = copies(&site, &heavy, 3)?;
    let shown = compare(&site, base, &heavy)?;
    shown
        .assert()
        .code(10)
        .stdout(predicate::str::contains("VERDICT: WORSE (exit code 10): worse: short-executor"));
    let markdown = fs::read_to_string(site.path("state/comparisons/latest/compare.md"))?;
    assert!(markdown.contains("| short-executor | 24."), "{markdown}");
    assert!(markdown.contains("| worse |"), "{markdown}");

    let failing = site.load(["--api", "status"]).fake("FAIL", "sky.status:1!").run()?;
    failing.expect(&site, Verdict::ScenarioFailed)?;
    let failing = copies(&site, &failing, 6)?;
    let (failing, failing_too) = failing.split_at(3);
    compare(&site, base, failing)?
        .assert()
        .code(11)
        .stdout(predicate::str::contains("only in the candidate failed: api:status"))
        .stdout(predicate::str::contains("ValueError"));
    compare(&site, failing, failing_too)?
        .assert()
        .code(0)
        .stdout(predicate::str::contains("VERDICT: SAME"));
    Ok(())
}

#[test]
fn too_few_runs_decide_nothing_and_runs_of_other_plans_are_not_compared() -> anyhow::Result<()> {
    let site = Site::new()?;
    let first = site.load(["--api", "status"]).run()?;
    let first = copies(&site, &first, 6)?;
    compare(&site, &first[..2], &first[2..4])?
        .assert()
        .code(12)
        .stdout(predicate::str::contains("too few usable runs: 2 of the base"));

    let other = site.load(["--api", "validate", "-n", "3"]).run()?;
    let other = copies(&site, &other, 3)?;
    let refused = compare(&site, &first[..3], &other)?;
    refused
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("runs differ in scenarios: api:status 2"))
        .stderr(predicate::str::contains("--allow-differences"));
    compare_with(&site, &first[..3], &other, &["--allow-differences"])?
        .assert()
        .stdout(predicate::str::contains("not equal in all runs: scenarios: api:status 2"));
    assert!(latest(&site)?.disturbances().count() >= 1);

    let twice = [first[0].clone(), first[1].clone(), first[0].clone()];
    let mistaken = compare(&site, &twice, &[site.path("no-run"), first[3].clone()])?;
    mistaken.assert().code(2).stderr(predicate::str::contains("no-run` not found"));
    compare(&site, &twice, &first[3..])?
        .assert()
        .code(2)
        .stderr(predicate::str::contains("is named twice"));
    Ok(())
}

#[test]
fn an_inconclusive_run_is_left_out_by_name_with_its_partner() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status"]).run()?;
    let runs = copies(&site, &run, 8)?;
    fs::remove_file(runs[1].join("events.jsonl"))?;
    let shown = compare(&site, &runs[..4], &runs[4..])?;
    let id = |run: &Path| run.file_name().unwrap_or_default().to_string_lossy().into_owned();
    shown
        .assert()
        .code(0)
        .stdout(predicate::str::contains(format!("left out of the base: {}", id(&runs[1]))))
        .stdout(predicate::str::contains(format!("left out of the candidate: {}", id(&runs[5]))))
        .stdout(predicate::str::contains("3 pairs"));
    Ok(())
}
