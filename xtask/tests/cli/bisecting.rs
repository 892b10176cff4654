//! `cargo xtask bisect`: the commit of a repository that made a metric worse.

use std::collections::BTreeSet;
use std::path::Path;

use nix::sys::signal::Signal;
use predicates::prelude::predicate;
use skyload::comparison::{AbRecord, Bisection, Outcome, PlacedRun};
use skyload::record::{read, read_json};

use crate::repositories::{git, repository, write};
use crate::support::{Schema, Settings, Site, Xtask, signal, uv};

/// Limits within which runs on a busy machine count as the same.
const TOLERANCE: &str = r#"
    [compare.tolerances]
    memory = "12 MiB"
"#;

/// Program `sky` of a commit, whose executors have the memory that the file `sky/mib` states. A
/// commit with another text there cannot be installed.
const SKY: &str = r#"
    mib=$(cat "$environment/site/sky/mib")
    commit=$(sed -n "s/^_SKYPILOT_COMMIT_SHA = '\(.*\)'$/\1/p" "$environment/site/sky/__init__.py")
    if [ "$mib" = broken ]; then echo 'no such dependency' >&2; exit 1; fi
    printf '#!/bin/sh\nFAKE_SKY_EXECUTOR_MIB=%s FAKE_SKY_COMMIT=%s exec SKY "$@"\n' \
        "$mib" "$commit" > "$environment/bin/sky"
    chmod +x "$environment/bin/sky""#;

fn site() -> anyhow::Result<Site> {
    let site = Site::with(&Settings { more: TOLERANCE, ..Settings::default() })?;
    let program = fake_sky::executable().display().to_string();
    uv::write(&site, &SKY.replace("SKY \"$@\"", &format!("{program} \"$@\"")))?;
    Ok(site)
}

/// Commits a file. Returns the hash of the commit.
fn commit(work: &Path, name: &str, text: &str, subject: &str) -> String {
    write(work, name, text);
    git(work, &["add", "--all"]);
    git(work, &["commit", "--quiet", &format!("--message={subject}")]);
    git(work, &["rev-parse", "HEAD"])
}

fn bisect<'a>(site: &'a Site, args: &[&str]) -> Xtask<'a> {
    uv::on_path(site, site.xtask(["bisect"].iter().chain(args)))
}

/// Runs of each comparison of the latest bisection.
fn done(site: &Site) -> anyhow::Result<Vec<Vec<PlacedRun>>> {
    let comparisons = site.path("state/bisections/latest/comparisons");
    let mut records: Vec<_> = comparisons
        .read_dir()?
        .flatten()
        // Without the link `latest`.
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path().join("ab.json"))
        .collect();
    records.sort();
    records.iter().map(|path| Ok(read::<AbRecord>(path)?.done)).collect()
}

#[test]
fn the_first_commit_with_larger_executors_is_named_also_after_an_interruption() -> anyhow::Result<()>
{
    let site = site()?;
    let work = site.path("work");
    repository(&work);
    let good = commit(&work, "sky/mib", "24", "Good");
    commit(&work, "docs/page.md", "text", "Describe it");
    let first_bad = commit(&work, "sky/mib", "124", "Import a heavy module");
    let broken = commit(&work, "sky/mib", "broken", "Break the build");
    commit(&work, "sky/mib", "125", "Repair it");
    commit(&work, "sky/more.py", "", "Add a module");
    let bare = site.path("bare.git");
    git(&work, &["clone", "--quiet", "--mirror", ".", &bare.to_string_lossy()]);

    let end = |reference: &str| format!("git:{}@{reference}", bare.display());
    let config = site.path("skyload.toml").display().to_string();
    let args = ["--metric", "short-executor.peak", "--pairs", "3", "--config", &config, "--yes"];
    let ends = [end(&good), end("master")];
    let args = [&[&*ends[0], &*ends[1]], &args[..], &["--api", "status", "-c", "none"]].concat();
    let running = bisect(&site, &args).start()?;
    running.says(
        "Bisection of short-executor: 3 commits between, and 1 commit that changes nothing in the \
         package; at most 3 comparisons, 22 runs",
    )?;
    running.says_after_runs(8, &format!("{}: skipped: ", &broken[..12]))?;
    // The comparison has begun: `--continue` finds in it what the bisection itself has written.
    running.says(&format!("Candidate: SkyPilot 0.14.1 ({}", &first_bad[..12]))?;
    signal(running.pid(), Signal::SIGINT)?;
    let interrupted = running.finish_runs(10)?;
    interrupted.assert().code(12).stderr(predicate::str::contains("cargo xtask bisect --continue"));
    site.assert_nothing_is_left();

    let finished = bisect(&site, &["--continue"]).start()?.finish_runs(9)?;
    finished
        .assert()
        .code(0)
        .stdout(predicate::str::contains(format!(
            "{first_bad} 2026-10-20 A: Import a heavy module"
        )))
        .stdout(predicate::str::contains("VERDICT: FOUND (exit code 0): first bad commit "));
    let json = read_json(&site.path("state/bisections/latest/bisect.json"), "bisection")?;
    Schema::of(skyload::schema::BISECTION_FILE)?.check(&json)?;
    let bisection: Bisection = serde_json::from_value(json)?;
    assert_eq!(bisection.outcome, Outcome::Found { position: 1 });
    let positions: Vec<usize> = bisection.steps.iter().map(|step| step.position).collect();
    assert_eq!(positions, [4, 2, 1]);
    // Two warm-ups and three pairs each; that of GOOD is one and the same.
    let [bad, later] = done(&site)?.try_into().expect("a commit that is broken has no comparison");
    assert_eq!([bad.len(), later.len()], [8, 8]);
    assert_eq!(bad[0], later[0]);
    let runs: BTreeSet<&str> = bad.iter().chain(&later).map(|run| run.run.as_str()).collect();
    assert_eq!(runs.len(), 15);
    site.assert_nothing_is_left();
    Ok(())
}

#[test]
fn mistakes_in_a_bisection_are_reported_together() -> anyhow::Result<()> {
    let site = site()?;
    let work = site.path("work");
    repository(&work);
    let end = |reference: &str| format!("git:{}@{reference}", work.display());
    let ends = [end("mastre"), end("nowhere")];
    let args = [&*ends[0], &*ends[1], "--metric", "long-executer", "--sky", "0.14.1"];
    let refused = bisect(&site, &args).run()?;
    refused
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("GOOD: no branch"))
        .stderr(predicate::str::contains("BAD: no branch"))
        .stderr(predicate::str::contains("--sky: `bisect` takes its versions as GOOD and BAD"))
        .stderr(predicate::str::contains(
            "--metric: unknown metric `long-executer`; did you mean `long-executor`?",
        ));
    let (good, bad) = (end("master"), "0.14.1");
    for (args, message) in [
        (&[&*good, bad, "--metric", "threads"][..], "GOOD and BAD: expected two releases"),
        (&[&*good, &*good, "--metric", "peaks"], "expected one metric, got the group `peaks`"),
        (&["--continue", "nowhere"], "--continue: `nowhere` is no bisection"),
        (&["--continue", "latest", "--metric", "threads"], "--continue: expected only --pairs"),
    ] {
        let refused = bisect(&site, args).run()?;
        refused.assert().code(2).stderr(predicate::str::contains(message));
    }
    assert!(site.runs().is_empty());
    Ok(())
}
