//! `cargo xtask recommend`: recommended constants from finished runs, and the patch.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use fake_sky::{FakeServer, free_port};
use predicates::prelude::predicate;
use rstest::rstest;
use skyload::analysis::Verdict;
use skyload::recommend::{Constant, Effects, Recommendation};
use skyload::record::environment::{Environment, WorkerConstants};
use skyload::record::{ProfileDir, read, write_json};
use skyload::shell;
use skyload::units::gib;

use crate::support::{Finished, Site};
use crate::system_servers::command;

/// Run of API scenarios on a server with AWS enabled: only such runs lower a constant.
fn load_with_a_cloud(site: &Site, args: &[&str]) -> anyhow::Result<Finished> {
    let home = site.path("home");
    fs::create_dir(&home)?;
    let mut xtask = command(site, &home, free_port()?, &[&["-c", "aws", "--yes"], args].concat())?;
    for (setting, value) in [("INFRA", "aws"), ("SLEEP_MS", "20")] {
        xtask = xtask.fake(setting, value);
    }
    xtask.run()
}

#[test]
fn a_run_without_a_cloud_lowers_nothing_and_leads_to_one_with() -> anyhow::Result<()> {
    let site = Site::new()?;
    site.load(["--api", "status"]).run()?.expect(&site, Verdict::Pass)?;
    let shown = site.xtask(["recommend"]).run()?;
    shown
        .assert()
        .code(0)
        .stdout(predicate::str::contains("SHORT_WORKER_MEM_GB   keep (no peak with a cloud)"))
        .stdout(predicate::str::contains(
            "NEXT: cargo xtask load --sky 0.14.1 -n 20 -c emulated-aws",
        ));
    let patch = site.xtask(["recommend", "--patch"]).run()?;
    patch.assert().code(0).stdout("").stderr(predicate::str::contains("so there is no patch"));
    Ok(())
}

#[test]
fn a_run_gives_recommended_constants_and_the_next_command() -> anyhow::Result<()> {
    let site = Site::new()?;
    let report = load_with_a_cloud(&site, &["--api", "status check"])?;
    let id = report.expect(&site, Verdict::Pass)?.run.to_string();

    let shown = site.xtask(["recommend"]).run()?;
    shown
        .assert()
        .code(0)
        .stderr("")
        .stdout(predicate::str::contains("RECOMMENDED CONSTANTS for SkyPilot 0.14.1"))
        .stdout(predicate::str::contains("LONG_WORKER_MEM_GB    no such process ran"))
        // The stand-in has no formulas; the rest of the recommendation is shown.
        .stdout(predicate::str::contains("WORKERS with the recommended constants: unknown"))
        .stdout(predicate::str::contains(format!("NEXT: cargo xtask recommend {id} --patch")));

    let json = site.xtask(["recommend", &id, &id, "--format", "json"]).run()?;
    json.assert().code(0);
    let recommendation: Recommendation = serde_json::from_slice(&json.output.stdout)?;
    assert_eq!(recommendation.runs.len(), 1, "a run that is named twice counts once");
    assert!(recommendation.values().contains_key(&Constant::Short));
    assert!(matches!(recommendation.effects, Effects::Unknown(_)));
    Ok(())
}

#[test]
fn a_run_outside_of_the_state_directory_is_named_by_its_path() -> anyhow::Result<()> {
    let site = Site::new()?;
    let out = site.path("our runs");
    let out_text = out.display().to_string();
    let run = load_with_a_cloud(&site, &["--api", "status check", "--out", &out_text])?;
    run.assert().code(0);
    let report = String::from_utf8(run.output.stdout)?;
    let next = report.lines().find_map(|line| line.strip_prefix("NEXT: cargo xtask "));
    let words = next.and_then(shlex::split).context("the report ends with a command")?;
    let shown = site.xtask(words).run()?;
    let name = shell::path(&out.join("latest").canonicalize()?);
    shown
        .assert()
        .code(0)
        .stdout(predicate::str::contains(format!("NEXT: cargo xtask recommend {name} --patch")));
    Ok(())
}

#[rstest]
#[case::of_today(
    "sky/server/config.py",
    "\"\"\"Config.\"\"\"\nimport os\n\nLONG_WORKER_MEM_GB: float = 0.4\n\
     SHORT_WORKER_MEM_GB = 0.3  # profiled\nSERVER_WORKER_MEM_GB = 0.4\nOTHER = 1\n",
    WorkerConstants { long: Some(gib(0.4)), short: Some(gib(0.3)), server: Some(gib(0.4)) }
)]
#[case::of_0_9_1(
    "sky/server/requests/executor.py",
    "import os\n_LONG_WORKER_MEM_GB = 0.4\n_SHORT_WORKER_MEM_GB = 0.25\n",
    WorkerConstants { long: Some(gib(0.4)), short: Some(gib(0.25)), server: None }
)]
fn a_patch_applies_to_a_checkout(
    #[case] module: &str,
    #[case] source: &str,
    #[case] constants: WorkerConstants,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let loaded = load_with_a_cloud(&site, &["--api", "status launch_dryrun check"])?;
    loaded.expect(&site, Verdict::Pass)?;
    let checkout = site.path("checkout");
    let file = checkout.join(module);
    fs::create_dir_all(file.parent().context("a module is in a folder")?)?;
    fs::write(&file, source)?;
    let run = loaded.run_dir()?;
    let mut environment: Environment = read(&run.environment())?;
    environment.sky.constants = constants;
    environment.sky.constants_source = format!("{}: LONG_WORKER_MEM_GB", file.display());
    write_json(&run.environment(), &environment)?;
    run.write_checksums()?;

    let patch = site.xtask(["recommend", "--patch"]).run()?;
    patch.assert().code(0).stderr("").stdout(predicate::str::contains("CAUTION"));
    let patch_file = site.path("constants.patch");
    fs::write(&patch_file, &patch.output.stdout)?;
    git(&checkout, &["init", "--quiet"])?;
    git(&checkout, &["apply", &patch_file.display().to_string()])?;

    let patched = fs::read_to_string(&file)?;
    let (mut before, mut after) = (source.lines(), patched.lines());
    for (before, after) in before.by_ref().zip(after.by_ref()) {
        match before.split_once(" = 0.") {
            Some((name, _)) => {
                assert!(after.starts_with(name) && after != before, "{before} -> {after}");
            }
            None => assert_eq!(before, after, "only the constants change"),
        }
    }
    assert!(before.next().is_none() && after.next().is_none(), "{patched}");
    assert_eq!(patched.contains("# profiled"), source.contains("# profiled"));

    // The module differs from the one of the run now.
    let again = site.xtask(["recommend", "--patch"]).run()?;
    again.assert().code(1).stdout("").stderr(predicate::str::contains("module has changed since"));
    Ok(())
}

fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let done = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("starting git")?;
    ensure!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

#[test]
fn a_run_with_invalid_measurements_is_an_error_with_its_findings() -> anyhow::Result<()> {
    let site = Site::new()?;
    let loaded = site.load(["--api", "status"]).run()?;
    loaded.expect(&site, Verdict::Pass)?;
    let samples = loaded.run_dir()?.samples();
    let text = fs::read_to_string(&samples)?;
    fs::write(&samples, &text[..text.len() - 10])?;
    for arguments in [&["recommend"][..], &["recommend", "--patch"]] {
        let failed = site.xtask(arguments).run()?;
        failed
            .assert()
            .code(2)
            .stdout("")
            .stderr(predicate::str::contains("is inconclusive: "))
            .stderr(predicate::str::contains("samples.jsonl` ends in an incomplete line"));
    }
    Ok(())
}

#[test]
fn a_run_without_a_profile_supports_no_constant() -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let url = server.url();
    site.load(["--server", &url, "--api", "status"]).run()?.expect(&site, Verdict::Pass)?;
    server.finish()?;
    let shown = site.xtask(["recommend"]).run()?;
    shown
        .assert()
        .code(12)
        .stdout(predicate::str::contains("not measured"))
        .stdout(predicate::str::contains("NEXT: cargo xtask load"));
    let patch = site.xtask(["recommend", "--patch"]).run()?;
    patch.assert().code(12).stdout("").stderr(predicate::str::contains("no patch"));
    Ok(())
}

#[rstest]
#[case::no_such_run(&["nosuch"], "run `nosuch` not found")]
#[case::no_run_yet(&[], "run `latest` not found: no runs yet")]
#[case::no_machine(&["--machines", "4x16,4y16"], "CPUs x GiB, such as `4x16`, got `4y16`")]
#[case::a_machine_without_memory(&["--machines", "4x0"], "CPUs x GiB, such as `4x16`, got `4x0`")]
#[case::both_modes(&["--deploy", "--local"], "cannot be used with")]
#[case::a_patch_of_machines(&["--patch", "--machines", "4x16"], "'--patch' cannot be used with")]
#[case::a_patch_of_a_mode(&["--patch", "--local"], "'--patch' cannot be used with")]
fn a_mistake_is_named(#[case] arguments: &[&str], #[case] message: &str) -> anyhow::Result<()> {
    let site = Site::new()?;
    let failed = site.xtask(["recommend"].iter().chain(arguments)).run()?;
    failed.assert().code(2).stdout("").stderr(predicate::str::contains(message));
    Ok(())
}

#[test]
fn a_profile_is_no_run() -> anyhow::Result<()> {
    let site = Site::new()?;
    let id = "20200101-000000-00aa";
    let profile = ProfileDir::create(&site.path("state/profiles").join(id))?;
    fs::write(profile.files().samples, "")?;
    let failed = site.xtask(["recommend", id]).run()?;
    failed
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains(format!("expected a run, got the profile `{id}`")))
        .stderr(predicate::str::contains(format!("`cargo xtask report {id}` shows it")));
    Ok(())
}
