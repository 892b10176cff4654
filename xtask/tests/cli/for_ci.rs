//! Results for CI: report.md, junit.xml, annotations, the job summary on GitHub, and a report.json
//! that conforms to its schema.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use predicates::prelude::{PredicateBooleanExt as _, predicate};
use rstest::rstest;
use serde_json::{Value, json};
use skyload::analysis::{Report, Verdict};
use skyload::env;

use crate::support::{Schema, Site};

#[test]
fn github_gets_annotations_and_the_report() -> anyhow::Result<()> {
    let site = Site::new()?;
    let summary = site.path("summary.md");
    fs::write(&summary, "Written before.\n")?;
    let run = site
        .load(["--api", "status", "--budget", "short-executor=8MiB", "--format", "json"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary)
        .run()?;
    run.assert().code(10).stderr(predicate::str::is_match(
        "(?m)^::error title=skyload%3A OVER BUDGET%2C short-executor::short-executor: 24\\.",
    )?);
    serde_json::from_slice::<Report>(&run.output.stdout)?;
    let report = fs::read_to_string(run.run_dir()?.report_markdown())?;
    assert_eq!(fs::read_to_string(&summary)?, format!("Written before.\n{report}"));
    assert!(report.starts_with("❌ **OVER BUDGET**: short-executor: 24."), "{report}");
    Ok(())
}

#[test]
fn outside_of_github_nothing_is_annotated() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status", "--budget", "short-executor=8MiB"]).run()?;
    run.expect(&site, Verdict::OverBudget)?;
    run.assert().stderr(predicate::str::contains("::error").not());
    Ok(())
}

#[test]
fn a_summary_that_cannot_be_written_changes_no_verdict() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site
        .load(["--api", "status"])
        .env("GITHUB_STEP_SUMMARY", site.path("no/such/folder.md"))
        .run()?;
    run.assert().code(0).stderr(predicate::str::contains("Adding report.md to `"));
    Ok(())
}

#[test]
fn every_format_says_that_a_run_ended_early() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status"]).run()?;
    let directory = run.run_dir()?;
    let samples = directory.samples();
    let text = fs::read_to_string(&samples)?;
    fs::write(&samples, &text[..text.len() - 10])?;
    for file in [directory.report(), directory.report_markdown(), directory.junit()] {
        fs::remove_file(file)?;
    }
    let id = directory.id().to_string();
    site.xtask(["report", &id]).run()?.assert().code(12);
    let words = "samples.jsonl` ends in an incomplete line";
    assert!(
        fs::read_to_string(directory.report_markdown())?.contains(&words.replace('`', "&#96;"))
    );
    assert!(fs::read_to_string(directory.junit())?.contains(words));
    assert!(fs::read_to_string(directory.report())?.contains(words));
    Ok(())
}

#[test]
fn a_malformed_report_does_not_conform_to_the_schema() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status"]).run()?;
    let schema = Schema::of_reports()?;
    let report: Value = serde_json::from_slice(&fs::read(run.run_dir()?.report())?)?;
    schema.check(&report)?;
    for (place, value) in [
        ("/duration", json!("3s")),
        ("/plan/baseline", json!(3.5)),
        ("/memory/tree-rss-peak", json!("1 GiB")),
        ("/verdict", json!("fine")),
        ("/scenarios/0/id", json!("api:nothing")),
    ] {
        let mut changed = report.clone();
        *changed.pointer_mut(place).expect("every report has the field") = value;
        let error = schema.check(&changed).expect_err(place).to_string();
        assert!(error.contains(place), "{error}");
    }
    Ok(())
}

/// Script of a step of the workflow for pull requests.
fn script_of_step(name: &str) -> anyhow::Result<String> {
    const INDENT: &str = "          ";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/github-pull-request.yml");
    let text = fs::read_to_string(path)?;
    let (_, step) = text.split_once(&format!("- name: {name}\n")).context("the step")?;
    let (_, script) = step.split_once("run: |\n").context("the script of the step")?;
    let lines = script.lines().map_while(|line| line.strip_prefix(INDENT));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

#[rstest]
#[case::the_first_one("", "--method POST repos/o/r/issues/7/comments ")]
#[case::a_later_one("11\n12\n", "--method PATCH repos/o/r/issues/comments/12 ")]
fn a_pull_request_has_one_comment_which_no_other_workflow_wrote(
    #[case] found: &str,
    #[case] expected: &str,
) -> anyhow::Result<()> {
    const MARKER: &str = "<!-- skyload -->";
    let script = script_of_step("Comment")?;
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("state/comparisons/latest"))?;
    fs::write(path("state/comparisons/latest/compare.md"), "| table |\n")?;
    fs::write(path("found"), found)?;
    // Behaves like the client of GitHub, which filters the comments.
    let gh = "#!/bin/sh\ncd \"$RUNNER_TEMP\"\necho \"$*\" >> calls\n\
              case \"$*\" in *--jq*) cat found ;; esac\n";
    fs::write(path("gh"), gh)?;
    fs::set_permissions(path("gh"), fs::Permissions::from_mode(0o755))?;
    let programs = env::text("PATH").unwrap_or_default();
    let status = Command::new("bash")
        .args(["-eo", "pipefail", "-c", &script])
        .env("PATH", format!("{}:{programs}", folder.path().display()))
        .env("RUNNER_TEMP", folder.path())
        .env("SKYLOAD_STATE_DIR", path("state"))
        .envs([("GH_REPO", "o/r"), ("NUMBER", "7")])
        .status()?;
    ensure!(status.success(), "{status}");
    let calls = fs::read_to_string(path("calls"))?;
    let [list, written] = calls.lines().collect::<Vec<_>>().try_into().expect("two calls");
    assert!(list.contains("--paginate repos/o/r/issues/7/comments"), "{list}");
    assert!(list.contains(&format!("select(.body | startswith(\"{MARKER}\"))")), "{list}");
    assert!(written.contains(expected), "{written}");
    assert!(written.ends_with(&format!("body=@{}", path("comment.md").display())), "{written}");
    assert_eq!(fs::read_to_string(path("comment.md"))?, format!("{MARKER}\n| table |\n"));
    Ok(())
}
