//! `cargo xtask ab`: two SkyPilots alternately.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::sys::signal::Signal;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use skyload::comparison::{AbRecord, Comparison, ComparisonVerdict, Place, Role};
use skyload::record::environment::Environment;
use skyload::record::profile::Phase;
use skyload::record::{RunDir, read, write_json};

use crate::support::{Settings, Site, Xtask, signal};

/// Limits within which runs on a busy machine count as the same: none of CPU time, much memory.
const TOLERANCES: &str = r#"
    [compare]
    decide = ["peaks", "errors"]

    [compare.tolerances]
    memory = "12 MiB"
"#;

/// Site whose comparisons are decided by peaks, which the stand-in knows exactly.
fn site() -> anyhow::Result<Site> {
    Site::with(&Settings { more: TOLERANCES, ..Settings::default() })
}

/// Stand-in with settings of its own, as a program for `--sky`.
fn version(site: &Site, name: &str, settings: &str) -> anyhow::Result<String> {
    let path: PathBuf = site.path(name);
    let program = fake_sky::executable();
    let text = format!("#!/bin/sh\n{settings} exec '{}' \"$@\"\n", program.display());
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    path.to_str().map(str::to_owned).context("a path in Unicode")
}

/// `ab` of versions with the site's configuration.
fn ab<'a>(site: &'a Site, versions: [&str; 2], more: &[&str]) -> Xtask<'a> {
    let config = site.path("skyload.toml").display().to_string();
    let flags = ["--config", &config, "--yes", "--api", "status", "-c", "none"];
    site.xtask(["ab"].iter().chain(&versions).chain(&flags).chain(more))
}

/// Comparison of the site, with the record of its runs.
fn latest(site: &Site) -> anyhow::Result<(Comparison, AbRecord)> {
    let folder = site.path("state/comparisons/latest");
    Ok((read(&folder.join("compare.json"))?, read(&folder.join("ab.json"))?))
}

/// Gives a finished run another number of CPUs, as if the machine had changed.
fn move_to_another_machine(run: &Path) -> anyhow::Result<()> {
    let run = RunDir::open(run)?;
    let mut environment: Environment = read(&run.environment())?;
    environment.machine.cpus += 1;
    write_json(&run.environment(), &environment)?;
    Ok(run.write_checksums()?)
}

/// Roles of runs in one word, upper case for the base.
fn order(record: &AbRecord) -> String {
    let letter = |place: Place| match place.role {
        Role::Base => 'A',
        Role::Candidate => 'B',
    };
    record.done.iter().map(|run| letter(run.place)).collect()
}

#[test]
fn a_candidate_with_larger_executors_is_worse_by_runs_in_balanced_order() -> anyhow::Result<()> {
    let site = site()?;
    let heavier = version(&site, "heavier", "FAKE_SKY_EXECUTOR_MIB=124")?;
    let base = version(&site, "base", "")?;
    let summary = site.path("summary.md");
    let compared = ab(&site, [&base, &heavier], &["--pairs", "3"]);
    let compared = compared.env("GITHUB_STEP_SUMMARY", &summary).start()?.finish_runs(8)?;
    compared
        .assert()
        .code(10)
        .stderr(predicate::str::contains("Warm-up of the base"))
        .stderr(predicate::str::contains("Pair 3 of 3: candidate"))
        .stdout(predicate::str::contains("VERDICT: WORSE (exit code 10): worse: short-executor"));
    let markdown = fs::read_to_string(site.path("state/comparisons/latest/compare.md"))?;
    assert_eq!(fs::read_to_string(&summary)?, markdown);
    let (comparison, record) = latest(&site)?;
    assert_eq!(order(&record), "ABABBAAB");
    assert_eq!([comparison.base.runs.len(), comparison.candidate.runs.len()], [3, 3]);
    let warm_ups = record.done.iter().filter(|run| run.place.pair.is_none());
    for warm_up in warm_ups {
        assert!(!comparison.base.runs.contains(&warm_up.run));
        assert!(!comparison.candidate.runs.contains(&warm_up.run));
    }
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn an_interrupted_comparison_is_continued_without_losing_a_run() -> anyhow::Result<()> {
    let site = site()?;
    let (one, other) = (version(&site, "one", "")?, version(&site, "other", "")?);
    let running = ab(&site, [&one, &other], &["--pairs", "3"]).start()?;
    running.says_after_runs(3, "Pair 1 of 3: candidate")?;
    running.phase(Phase::Load)?;
    signal(running.pid(), Signal::SIGINT)?;
    let interrupted = running.finish_runs(4)?;
    interrupted
        .assert()
        .code(12)
        .stderr(predicate::str::contains("no run that had ended is lost"))
        .stderr(predicate::str::contains("hint: `cargo xtask ab --continue "));
    site.assert_nothing_is_left();
    let folder = site.path("state/comparisons").read_dir()?.flatten().map(|entry| entry.path());
    let folder = folder.into_iter().find(|path| path.join("ab.json").is_file());
    let folder = folder.context("the record of the comparison")?;
    let before: AbRecord = read(&folder.join("ab.json"))?;
    assert_eq!(order(&before), "ABA");

    let name = folder.file_name().context("a comparison has a name")?.to_owned();
    let refused = site.xtask(["ab", "--api", "validate", "--continue"]).run()?;
    refused.assert().code(2).stderr(predicate::str::contains("expected only --pairs"));
    let resume = [std::ffi::OsStr::new("ab"), "--continue".as_ref(), &name];
    move_to_another_machine(&before.runs.join(before.done[2].run.as_str()))?;
    let differing = site.xtask(resume).start()?.finish_runs(1)?;
    differing
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("Warm-up").not())
        .stderr(predicate::str::contains("runs differ in CPUs: "))
        .stderr(predicate::str::contains("--allow-differences` compares them anyway"));

    let allowing = resume.into_iter().chain(["--allow-differences".as_ref()]);
    let continued = site.xtask(allowing).start()?.finish_runs(4)?;
    continued
        .assert()
        .code(0)
        .stdout(predicate::str::contains("not equal in all runs: CPUs: "))
        .stdout(predicate::str::contains("VERDICT: SAME"));
    let (comparison, record) = latest(&site)?;
    assert_eq!(comparison.verdict, ComparisonVerdict::Same);
    assert_eq!(record.done[..3], before.done);
    assert_eq!(order(&record), "ABABBAAB");
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn a_version_without_a_usable_run_decides_nothing() -> anyhow::Result<()> {
    let site = site()?;
    let base = version(&site, "base", "")?;
    let replaced = version(&site, "replaced", "FAKE_SKY_REPLACE_AFTER_MS=100")?;
    let compared = ab(&site, [&base, &replaced], &[]).start()?.finish_runs(6)?;
    compared
        .assert()
        .code(12)
        .stderr(predicate::str::contains("is not compared: inconclusive: "))
        .stderr(predicate::str::contains("no usable run of the candidate for pair 1 in 3"));
    let (comparison, record) = latest(&site)?;
    assert_eq!(order(&record), "ABABBB");
    assert!(comparison.candidate.runs.is_empty());
    assert_eq!(comparison.candidate.excluded.len(), 3);
    let markdown = fs::read_to_string(site.path("state/comparisons/latest/compare.md"))?;
    assert!(markdown.contains("no usable run of the candidate for pair 1 in 3"), "{markdown}");
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn mistakes_in_a_comparison_are_reported_together() -> anyhow::Result<()> {
    let site = site()?;
    let refused =
        site.xtask(["ab", "0.14.1", "nonsense", "--sky", "0.13.0", "--keep-server"]).run()?;
    refused
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("--sky: `ab` takes its versions as BASE and CANDIDATE"))
        .stderr(predicate::str::contains("--keep-server: "))
        .stderr(predicate::str::contains("CANDIDATE: expected a version"));
    for (args, message) in [
        (&["0.14.1"][..], "CANDIDATE: expected a second SkyPilot"),
        (&["0.14.1", "0.13.0", "--max-time", "soon"], "--max-time: expected a time such as 2h"),
        (&["0.14.1", "0.13.0", "--server", "http://127.0.0.1:9"], "--server: expected isolated"),
        (&["--continue", "nowhere"], "--continue: `nowhere` is no comparison"),
    ] {
        let refused = site.xtask(["ab"].iter().chain(args)).run()?;
        refused.assert().code(2).stderr(predicate::str::contains(message));
    }
    assert!(site.runs().is_empty());
    Ok(())
}
