//! SkyPilot built from a checkout, or from a commit of a repository (`--sky`).
//!
//! A stand-in for uv "builds" a copy of the source, and "installs" it with the stand-in for `sky`.

use std::fs;
use std::path::Path;

use predicates::prelude::predicate;
use skyload::analysis::{Report, Verdict};
use skyload::record::environment::{Environment, SkySource};

use crate::repositories::{commit, git, repository, write};
use crate::support::{Finished, Site, Xtask, uv};

/// Site with a stand-in for uv. Each build is a line in `builds`: the date of its dependencies.
fn site() -> anyhow::Result<Site> {
    let site = Site::new()?;
    let sky = fake_sky::executable();
    uv::write(&site, &format!("ln -s {} \"$environment/bin/sky\"", sky.display()))?;
    Ok(site)
}

/// Load with a SkyPilot that the stand-in for uv installs.
fn load<'a>(site: &'a Site, sky: &str, args: &[&str]) -> anyhow::Result<Xtask<'a>> {
    let config = site.path("skyload.toml");
    let config = config.to_string_lossy();
    let before = ["load", "--yes", "--api", "status", "-n", "1", "-c", "none", "--config"];
    let line = before.iter().copied().chain([&*config, "--sky", sky]).chain(args.iter().copied());
    Ok(uv::on_path(site, site.xtask(line)))
}

/// Report of a load whose stand-in reports the commit of a release, so that the run is
/// inconclusive, as with any server of another commit.
fn run(site: &Site, load: Xtask<'_>) -> anyhow::Result<(Finished, Report)> {
    let finished = load.run()?;
    let report = finished.expect(site, Verdict::Inconclusive)?;
    Ok((finished, report))
}

fn source(report: &Report) -> &SkySource {
    let environment: &Environment = report.environment.as_ref().expect("the server was ready");
    environment.sky.source.as_ref().expect("SkyPilot was built from source")
}

/// Dates of the dependencies of the builds so far.
fn builds(site: &Site) -> Vec<String> {
    text(&site.path("builds")).lines().map(str::to_owned).collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn commits_of_a_repository_are_built_once_and_recorded() -> anyhow::Result<()> {
    let site = site()?;
    let work = site.path("work");
    let first = repository(&work);
    git(&work, &["branch", "fix"]);
    write(&work, "sky/second.py", "");
    let second = commit(&work);
    git(&work, &["update-ref", "refs/pull/1/head", &second]);
    git(&work, &["reset", "--quiet", "--hard", &first]);
    let bare = site.path("bare.git");
    git(&work, &["clone", "--quiet", "--mirror", ".", &bare.to_string_lossy()]);

    let sky = format!("git:file://{}@fix", bare.display());
    let (finished, report) = run(&site, load(&site, &sky, &[])?)?;
    let found = source(&report);
    assert_eq!(found.reference.as_deref(), Some("fix"));
    assert_eq!(found.reported_commit(), first);
    let packages = report.environment.as_ref().and_then(|it| it.sky.packages.clone());
    let packages = packages.expect("the packages are recorded");
    assert_eq!(packages.installed.get("click").map(String::as_str), Some("8.1"));
    assert_eq!(packages.resolved_as_of, Some("2026-10-22T12:00:00Z".parse().unwrap()));
    // Every report has the branch as typed, and the commit.
    let words = format!("fix of file://{}, commit {}", bare.display(), &first[..12]);
    let run_dir = finished.run_dir()?;
    finished.assert().stdout(predicate::str::contains(format!("SkyPilot: 0.14.1 ({words})")));
    for path in [run_dir.report_markdown(), run_dir.report_html()] {
        let commit = format!("commit {}", &first[..12]);
        assert!(text(&path).contains(&commit), "{}", path.display());
    }
    finished.assert().stdout(predicate::str::contains(format!("--sky {sky}")));
    let list = site.xtask(["runs"]).run()?;
    list.assert().success().stdout(predicate::str::contains(format!("0.14.1 ({})", &first[..12])));

    // The pull request is another commit; the branch is not built again.
    let pull = format!("git:{}@pull/1/head", bare.display());
    let (_, report) = run(&site, load(&site, &pull, &[])?)?;
    assert_eq!(source(&report).reported_commit(), second);
    run(&site, load(&site, &sky, &[])?)?;
    // Each as of two days after its commit.
    assert_eq!(builds(&site), ["2026-10-22T12:00:00Z"; 2]);
    Ok(())
}

#[test]
fn a_checkout_is_built_again_after_each_change_and_stays_as_it_is() -> anyhow::Result<()> {
    let site = site()?;
    let work = site.path("work");
    let hash = repository(&work);
    let sky = work.to_string_lossy().into_owned();
    let (_, report) = run(&site, load(&site, &sky, &[])?)?;
    assert_eq!(source(&report).reported_commit(), hash);

    write(&work, "sky/new.py", "new = 1\n");
    let status = || git(&work, &["status", "--porcelain", "--ignored"]);
    let before = status();
    for _ in 0..2 {
        let (_, report) = run(&site, load(&site, &sky, &[])?)?;
        let found = source(&report);
        assert_eq!(found.uncommitted.as_ref().map(|changed| changed.files), Some(1));
        assert!(found.reported_commit().starts_with(&format!("{hash}-dirty-")));
    }
    let [committed, today] = builds(&site).try_into().expect("two builds");
    assert_eq!(committed, "2026-10-22T12:00:00Z");
    assert!(today > committed, "{today}");
    assert_eq!(status(), before);
    Ok(())
}

#[test]
fn an_unknown_branch_is_an_error_that_names_a_similar_one() -> anyhow::Result<()> {
    let site = site()?;
    let work = site.path("work");
    repository(&work);
    let finished = load(&site, &format!("git:{}@mastre", work.display()), &[])?.run()?;
    finished.assert().code(1).stderr(predicate::str::contains("did you mean `master`?"));
    assert!(builds(&site).is_empty());
    Ok(())
}

#[test]
fn a_folder_of_a_checkout_and_a_malformed_date_are_usage_errors() -> anyhow::Result<()> {
    let site = site()?;
    let work = site.path("work");
    repository(&work);
    let folder = work.join("sky");
    let load = load(&site, &folder.to_string_lossy(), &["--dependencies-as-of", "yesterday"])?;
    load.run()?
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--sky: expected a source checkout (sky/__init__.py, "))
        .stderr(predicate::str::contains("--dependencies-as-of: expected a day (2026-11-20)"));
    Ok(())
}
