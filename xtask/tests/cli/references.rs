//! `cargo xtask reference`: a stored set of runs, and the check of a SkyPilot against it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use predicates::prelude::predicate;
use serde_json::Value;
use skyload::analysis::Verdict;
use skyload::record::read_json;

use crate::comparing::copies;
use crate::support::{Schema, Settings, Site, Xtask};

/// Peaks decide, which the stand-in knows exactly, with much tolerance.
const TOLERANCES: &str = r#"
    [compare]
    decide = ["peaks", "errors"]

    [compare.tolerances]
    memory = "12 MiB"
"#;

/// `reference` with the site's file.
fn reference<'a>(site: &'a Site, act: &str, more: &[PathBuf]) -> Xtask<'a> {
    let file = site.path("reference.json");
    let before = ["reference", act, "--file"].map(PathBuf::from);
    site.xtask(before.iter().map(PathBuf::as_path).chain([file.as_path()]).chain(paths(more)))
}

fn paths(of: &[PathBuf]) -> impl Iterator<Item = &Path> {
    of.iter().map(PathBuf::as_path)
}

#[test]
fn a_check_makes_runs_with_the_load_of_the_reference_and_finds_a_heavier_executor()
-> anyhow::Result<()> {
    let site = Site::with(&Settings { more: TOLERANCES, ..Settings::default() })?;
    let run = site.load(["--api", "status", "-n", "3"]).run()?;
    run.expect(&site, Verdict::Pass)?;
    let runs = copies(&site, &run, 6)?;

    reference(&site, "set", &runs[..2])
        .run()?
        .assert()
        .code(2)
        .stderr(predicate::str::contains("expected at least 3 usable runs, got 2"));
    let set = reference(&site, "set", &runs[..3]).run()?;
    set.assert().code(0).stdout(predicate::str::contains("reference.json: 3 runs of SkyPilot "));
    let json: Value = read_json(&site.path("reference.json"), "reference")?;
    Schema::of(skyload::schema::REFERENCE_FILE)?.check(&json).context("reference.json")?;
    // The site may be anywhere on another machine.
    let folder = site.path("").display().to_string();
    assert!(!json.to_string().contains(folder.trim_end_matches('/')), "{json:#}");

    let shown = reference(&site, "show", &[]).run()?;
    shown.assert().code(0).stdout(predicate::str::contains("short-executor"));
    let same = reference(&site, "check", &runs[3..]).run()?;
    same.assert().code(0).stdout(predicate::str::contains("VERDICT: SAME"));

    let heavier = reference(&site, "check", &["--yes".into()]).fake("EXECUTOR_MIB", 124).start()?;
    heavier
        .finish_runs(3)?
        .assert()
        .code(10)
        .stdout(predicate::str::contains("VERDICT: WORSE (exit code 10): worse: short-executor"));
    assert_eq!(site.runs().len(), 4, "the load, and three runs of the check");
    let table = fs::read_to_string(site.path("state/comparisons/latest/compare.md"))?;
    assert!(table.contains("| worse |"), "{table}");
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn a_check_without_a_reference_says_how_to_make_one() -> anyhow::Result<()> {
    let site = Site::new()?;
    reference(&site, "check", &[])
        .run()?
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("reference.json`: "))
        .stderr(predicate::str::contains("cargo xtask reference set RUN..."));
    Ok(())
}
