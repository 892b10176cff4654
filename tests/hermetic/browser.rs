//! The report as a page, in a real browser: `cargo xtask test --browser`, which has
//! Chromium and what drives it. The claims stand in `tests/browser/`; here are only
//! the pages that they are about.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use skyload::env;

use crate::judging::evidence::{four_users, good_run, hardly_anything_of_a_run};
use crate::judging::hour::hour_run;
use crate::judging::page_words::two_iterations;
use crate::judging::pages::page;

#[test]
#[ignore = "needs a browser: `cargo xtask test --browser`"]
fn pages_keep_their_claims() -> anyhow::Result<()> {
    let browser = env::path(env::BROWSER)
        .context("no browser is named\n  hint: `cargo xtask test --browser` does that")?;
    let pages = tempfile::tempdir().context("making a folder for pages")?;
    for (name, run) in [
        ("hour", hour_run()),
        ("short", good_run(&four_users())),
        ("remote", two_iterations(false)),
        ("unknown", hardly_anything_of_a_run()),
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
