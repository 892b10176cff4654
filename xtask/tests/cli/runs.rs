//! `cargo xtask runs` and `cargo xtask runs prune`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::signal::Signal;
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use rstest::rstest;
use serde_json::{Value, json};
use skyload::analysis::Verdict;
use skyload::ids::ProcessIdentity;
use skyload::record::RunDir;
use skyload::record::profile::Phase;

use crate::support::{Finished, Settings, Site, uv};

/// Directory of the site's runs.
fn folder(site: &Site) -> std::path::PathBuf {
    site.path("state/runs")
}

/// Creates a run that has nothing but its directory and a plan.
fn old_run(site: &Site, id: &str, plan: &str) -> anyhow::Result<()> {
    let run = RunDir::create(&folder(site).join(id))?;
    fs::write(run.plan(), plan)?;
    Ok(())
}

fn ids(site: &Site) -> Vec<String> {
    let names = site.runs().into_iter().filter_map(|path| Some(path.file_name()?.to_owned()));
    names.map(|name| name.to_string_lossy().into_owned()).collect()
}

fn listed(list: &Finished) -> anyhow::Result<Vec<Value>> {
    Ok(serde_json::from_slice(&list.output.stdout)?)
}

#[test]
fn every_run_is_listed_with_its_verdict_or_its_state() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status"]).run()?;
    let id = run.run_dir()?.id().to_string();
    old_run(&site, "20200101-000000-00aa", r#"{"version":1}"#)?;
    old_run(&site, "20200102-000000-00bb", "{")?;
    let plan = fs::read_to_string(run.run_dir()?.plan())?;
    old_run(&site, "20200103-000000-00cc", &plan)?;
    fs::create_dir(folder(&site).join("notes"))?;

    let list = site.xtask(["runs"]).run()?;
    let row = format!(r"(?m)^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d +{id} .* PASS +24\.\d ");
    list.assert()
        .code(0)
        .stderr("")
        .stdout(predicate::str::is_match(row)?)
        .stdout(predicate::str::contains("2020-01-01 00:00:00"))
        .stdout(predicate::str::contains("(version 1)"))
        .stdout(predicate::str::contains("(broken)"))
        .stdout(predicate::str::contains("(unfinished)"))
        .stdout(predicate::str::contains(
            "This build reads runs whose plan.json has versions 2 to 5.",
        ))
        .stdout(predicate::str::contains("`cargo xtask report 20200103-000000-00cc` shows what"))
        .stdout(predicate::str::contains("notes").not());

    let list = listed(&site.xtask(["runs", "--format", "json"]).run()?)?;
    let states: Vec<&Value> = list.iter().map(|run| &run["state"]).collect();
    assert_eq!(states[..2], ["finished", "unfinished"]);
    assert_eq!(states[3]["other-version"], 1);
    assert_eq!((&list[0]["run"], &list[0]["verdict"]), (&id.as_str().into(), &"pass".into()));
    assert!(list[0]["peaks"]["short"].as_u64().is_some_and(|peak| peak > 24 << 20));

    fs::write(run.run_dir()?.report(), "{}")?;
    let list = site.xtask(["runs"]).run()?;
    let remark = format!("`cargo xtask report {id}` writes it again");
    list.assert().code(0).stdout(predicate::str::contains(remark));
    Ok(())
}

#[test]
fn an_empty_list_has_a_hint() -> anyhow::Result<()> {
    let site = Site::new()?;
    let hint = "hint: start one with `cargo xtask load`";
    site.xtask(["runs"]).run()?.assert().code(0).stdout(predicate::str::contains(hint));
    assert_eq!(listed(&site.xtask(["runs", "--format", "json"]).run()?)?, [] as [Value; 0]);
    Ok(())
}

#[test]
fn only_runs_beyond_the_newest_are_removed() -> anyhow::Result<()> {
    let site = Site::new()?;
    for day in 1..=4 {
        old_run(&site, &format!("2020010{day}-000000-00aa"), r#"{"version":1}"#)?;
    }
    fs::create_dir(folder(&site).join("notes"))?;
    symlink("20200104-000000-00aa", folder(&site).join("latest"))?;

    let dry = site.xtask(["runs", "prune", "--keep", "2", "--dry-run"]).run()?;
    dry.assert().code(0).stdout(predicate::str::contains("Would remove 20200101-000000-00aa"));
    assert_eq!(ids(&site).len(), 5);

    let pruned = site.xtask(["runs", "prune", "--keep", "2"]).run()?;
    pruned
        .assert()
        .code(0)
        .stdout(predicate::str::contains("Removed 20200102-000000-00aa ("))
        .stdout(predicate::str::contains("2 runs removed, "))
        .stdout(predicate::str::contains("2 kept"));
    assert_eq!(ids(&site), ["20200103-000000-00aa", "20200104-000000-00aa", "notes"]);
    let latest = fs::read_link(folder(&site).join("latest"))?;
    assert_eq!(latest.to_str(), Some("20200104-000000-00aa"));

    site.xtask(["runs", "prune", "--keep", "0"]).run()?.assert().code(0);
    assert_eq!(ids(&site), ["notes"]);
    assert!(!folder(&site).join("latest").is_symlink(), "a link without a target is removed");
    Ok(())
}

#[test]
fn the_link_to_a_removed_run_is_set_to_the_newest_one() -> anyhow::Result<()> {
    let site = Site::new()?;
    for day in 1..=2 {
        old_run(&site, &format!("2020010{day}-000000-00aa"), r#"{"version":1}"#)?;
    }
    symlink("20200101-000000-00aa", folder(&site).join("latest"))?;
    site.xtask(["runs", "prune", "--keep", "1"]).run()?.assert().code(0);
    let latest = fs::read_link(folder(&site).join("latest"))?;
    assert_eq!(latest.to_str(), Some("20200102-000000-00aa"));
    Ok(())
}

#[test]
fn runs_that_are_younger_than_the_limit_stay() -> anyhow::Result<()> {
    let site = Site::new()?;
    old_run(&site, "20200101-000000-00aa", r#"{"version":1}"#)?;
    old_run(&site, "29990101-000000-00bb", r#"{"version":1}"#)?;
    let prune = ["runs", "prune", "--keep", "0", "--older-than", "30d"];
    site.xtask(prune).run()?.assert().code(0);
    assert_eq!(ids(&site), ["29990101-000000-00bb"]);
    Ok(())
}

#[rstest]
#[case::list(&["runs", "--out", "/nowhere"])]
#[case::prune(&["runs", "prune", "--out", "/nowhere"])]
fn a_missing_directory_is_a_usage_error(#[case] line: &[&str]) -> anyhow::Result<()> {
    let failed = Site::new()?.xtask(line).run()?;
    let message = "--out: directory `/nowhere` not found\n  hint: `cargo xtask runs`";
    failed.assert().code(2).stdout("").stderr(predicate::str::contains(message));
    Ok(())
}

#[rstest]
#[case::no_time(["--older-than", "soon"])]
#[case::no_number(["--keep", "-1"])]
fn a_malformed_limit_is_a_usage_error(#[case] flags: [&str; 2]) -> anyhow::Result<()> {
    let site = Site::new()?;
    old_run(&site, "20200101-000000-00aa", r#"{"version":1}"#)?;
    let prune = site.xtask(["runs", "prune"].into_iter().chain(flags)).run()?;
    prune.assert().code(2).stdout("").stderr(predicate::str::contains(flags[0]));
    assert_eq!(ids(&site).len(), 1);
    Ok(())
}

#[test]
fn a_run_of_format_2_is_listed_reported_on_and_used_for_recommendations() -> anyhow::Result<()> {
    let site = Site::new()?;
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/kept/v2/passed");
    let id = "20261124-080000-00aa";
    let run = RunDir::create(&folder(&site).join(id))?;
    for path in [kept.clone(), kept.join("outcomes")] {
        for entry in fs::read_dir(&path)? {
            let file = entry?.path();
            if file.is_file() {
                fs::copy(&file, run.path().join(file.strip_prefix(&kept)?))?;
            }
        }
    }
    let list = site.xtask(["runs"]).run()?;
    list.assert().code(0).stdout(predicate::str::is_match(format!("{id} .* PASS +\\d"))?);
    let report = site.xtask(["report", id]).run()?;
    report.assert().code(0).stdout(predicate::str::contains("VERDICT: PASS"));
    // Its SkyPilot would be installed again, which nothing here needs.
    uv::write(&site, "echo 'no such release' >&2; exit 1")?;
    let recommended = uv::on_path(&site, site.xtask(["recommend", id])).run()?;
    recommended.assert().code(0).stdout(predicate::str::contains("SHORT_WORKER_MEM_GB"));
    Ok(())
}

#[test]
fn a_running_run_is_listed_as_running_and_never_removed() -> anyhow::Result<()> {
    let site = Site::with(&Settings { baseline: "90s", ..Settings::default() })?;
    let running = site.load(["--api", "status"]).start()?;
    let id = running.phase(Phase::Baseline)?.id().to_string();
    let list = site.xtask(["runs"]).run()?;
    list.assert().code(0).stdout(predicate::str::contains("(running)"));
    let pruned = site.xtask(["runs", "prune", "--keep", "0"]).run()?;
    pruned.assert().code(0).stdout(predicate::str::contains(format!("Kept {id}: running")));
    assert_eq!(ids(&site), [id]);
    running.signal(Signal::SIGINT)?;
    running.finish()?.expect(&site, Verdict::Inconclusive)?;
    Ok(())
}

#[test]
fn a_running_run_of_another_build_is_never_removed() -> anyhow::Result<()> {
    let site = Site::new()?;
    let conductor = serde_json::to_value(ProcessIdentity::current())?;
    for (day, plan) in [
        json!({"version": 1, "conductor": conductor}),
        json!({"version": 2, "conductor": conductor, "news": true}),
        json!({"version": 99, "conductor": {"pid": 1, "started": u64::MAX}}),
    ]
    .iter()
    .enumerate()
    {
        old_run(&site, &format!("2020010{}-000000-00aa", day + 1), &plan.to_string())?;
    }
    // A run that has not written its plan yet.
    RunDir::create(&folder(&site).join("20200104-000000-00aa"))?;
    let pruned = site.xtask(["runs", "prune", "--keep", "0"]).run()?;
    pruned
        .assert()
        .code(0)
        .stdout(predicate::str::contains("Kept 20200101-000000-00aa: running"))
        .stdout(predicate::str::contains("Kept 20200102-000000-00aa: running"))
        .stdout(predicate::str::contains("Removed 20200103-000000-00aa"))
        .stdout(predicate::str::contains("Kept 20200104-000000-00aa: created just now"));
    Ok(())
}

#[test]
fn a_run_of_another_checkout_whose_server_still_runs_stays() -> anyhow::Result<()> {
    let (site, other) = (Site::new()?, Site::new()?);
    let out = site.path("runs").display().to_string();
    other.load(["--api", "status", "--keep-server", "--out", &out]).run()?.assert().code(0);
    let prune = ["runs", "prune", "--keep", "0", "--out", &out];
    let pruned = site.xtask(prune).run()?;
    pruned.assert().code(0).stdout(predicate::str::contains("its server still runs"));
    // The next run of the other checkout removes that server.
    other.load(["--api", "status"]).run()?.assert().code(0);
    site.xtask(prune).run()?.assert().code(0).stdout(predicate::str::contains("1 run removed"));
    Ok(())
}

#[test]
fn a_latest_that_skyload_did_not_make_is_not_changed() -> anyhow::Result<()> {
    let site = Site::new()?;
    old_run(&site, "20200101-000000-00aa", r#"{"version":1}"#)?;
    let link = folder(&site).join("latest");
    symlink("/elsewhere/latest", &link)?;
    site.xtask(["runs", "prune", "--keep", "0"]).run()?.assert().code(0);
    assert_eq!(fs::read_link(&link)?.to_str(), Some("/elsewhere/latest"));
    let run = site.load(["--api", "status"]).run()?;
    run.assert().code(0).stderr(predicate::str::contains("latest` was not made by skyload and"));
    assert_eq!(fs::read_link(&link)?.to_str(), Some("/elsewhere/latest"));
    Ok(())
}

#[test]
fn a_run_with_a_kept_server_stays_until_the_server_is_gone() -> anyhow::Result<()> {
    let site = Site::new()?;
    site.load(["--api", "status", "--keep-server"]).run()?.assert().code(0);
    let id = ids(&site).remove(0);
    let pruned = site.xtask(["runs", "prune", "--keep", "0"]).run()?;
    pruned.assert().code(0).stdout(predicate::str::contains(format!("Kept {id}: its server was")));
    site.load(["--api", "status"]).run()?.assert().code(0);
    site.xtask(["runs", "prune", "--keep", "1"]).run()?.assert().code(0);
    assert!(!ids(&site).contains(&id));
    Ok(())
}
