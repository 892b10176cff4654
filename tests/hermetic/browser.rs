//! Pages of runs and of comparisons in a real browser. `cargo xtask test --browser` installs
//! Chromium and its driver and runs these tests, which render pages and pass them to the claims in
//! `tests/browser/`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use skyload::env;
use tempfile::TempDir;

use crate::judging::comparison_answers::{page_with_all_parts, page_without_a_pair};
use crate::judging::evidence::{four_users, good_run, run_with_only_a_plan};
use crate::judging::hour::hour_run;
use crate::judging::live::{events, live_page};
use crate::judging::page_texts::two_iterations;
use crate::judging::pages::page;

#[test]
#[ignore = "needs a browser: `cargo xtask test --browser`"]
fn claims_about_html_reports_hold_in_a_browser() -> anyhow::Result<()> {
    let pages = tempfile::tempdir().context("creating a directory for pages")?;
    for (name, run) in [
        ("hour", hour_run()),
        ("short", good_run(&four_users())),
        ("remote", two_iterations(false)),
        ("unknown", run_with_only_a_plan()),
    ] {
        write(&pages, name, &page(&run))?;
    }
    hold(&pages, "report.test.mjs")
}

#[test]
#[ignore = "needs a browser: `cargo xtask test --browser`"]
fn claims_about_pages_of_comparisons_hold_in_a_browser() -> anyhow::Result<()> {
    let pages = tempfile::tempdir().context("creating a directory for pages")?;
    for (name, page) in [
        ("comparison", page_with_all_parts(4)),
        ("many-packages", page_with_all_parts(30)),
        ("no-pair", page_without_a_pair()),
    ] {
        write(&pages, name, &page)?;
    }
    hold(&pages, "comparison.test.mjs")
}

#[test]
#[ignore = "needs a browser: `cargo xtask test --browser`"]
fn claims_about_the_page_of_a_run_in_progress_hold_in_a_browser() -> anyhow::Result<()> {
    let pages = tempfile::tempdir().context("creating a directory for pages")?;
    write(&pages, "live", &live_page())?;
    for (name, has_ended) in [("running", false), ("ended", true)] {
        let events = events("<script>alert(1)</script>", has_ended);
        fs::write(pages.path().join(format!("{name}.txt")), events).context("writing events")?;
    }
    hold(&pages, "live.test.mjs")
}

fn write(pages: &TempDir, name: &str, page: &str) -> anyhow::Result<()> {
    fs::write(pages.path().join(format!("{name}.html")), page)
        .with_context(|| format!("writing the page `{name}`"))
}

/// Fails unless the claims about the pages hold in the browser.
fn hold(pages: &TempDir, claims: &str) -> anyhow::Result<()> {
    let browser = env::path(env::BROWSER).with_context(|| {
        format!("{} is not set\n  hint: run `cargo xtask test --browser`", env::BROWSER)
    })?;
    let claims = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(claims);
    let status = Command::new("node").arg(claims).arg(browser).arg(pages.path()).status();
    let status = status.context("starting node")?;
    ensure!(status.success(), "a claim failed ({status}); see above");
    Ok(())
}
