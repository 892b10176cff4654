//! HTML reports in a real browser. `cargo xtask test --browser` installs Chromium and its driver
//! and runs this test, which renders pages and passes them to the claims in `tests/browser/`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use skyload::env;

use crate::judging::evidence::{four_users, good_run, run_with_only_a_plan};
use crate::judging::hour::hour_run;
use crate::judging::page_texts::two_iterations;
use crate::judging::pages::page;

#[test]
#[ignore = "needs a browser: `cargo xtask test --browser`"]
fn claims_about_html_reports_hold_in_a_browser() -> anyhow::Result<()> {
    let browser = env::path(env::BROWSER).with_context(|| {
        format!("{} is not set\n  hint: run `cargo xtask test --browser`", env::BROWSER)
    })?;
    let pages = tempfile::tempdir().context("creating a directory for pages")?;
    for (name, run) in [
        ("hour", hour_run()),
        ("short", good_run(&four_users())),
        ("remote", two_iterations(false)),
        ("unknown", run_with_only_a_plan()),
    ] {
        fs::write(pages.path().join(format!("{name}.html")), page(&run))
            .with_context(|| format!("writing the page of the run `{name}`"))?;
    }
    let claims = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/report.test.mjs");
    let status = Command::new("node").arg(claims).arg(browser).arg(pages.path()).status();
    let status = status.context("starting node")?;
    ensure!(status.success(), "a claim failed ({status}); see above");
    Ok(())
}
