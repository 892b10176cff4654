//! `cargo xtask test`: all tests that need no SkyPilot server.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::env;

use crate::flags;
use crate::nextest::without_outer_cargo;
use crate::tools::{browser, nextest};

pub(crate) fn run(flags: &flags::Test) -> Result<()> {
    let workspace = Workspace::locate()?;
    let progress = Progress::new();
    let nextest = nextest::find_or_install(&workspace.state, &progress)?;
    let mut tests = Command::new(nextest);
    tests.args(["nextest", "run"]);
    if flags.browser {
        let browser = browser::find_or_unpack(&workspace.state, &progress)
            .context("getting a browser for the tests")?;
        browser::install_driver(&workspace.root.join("tests/browser"), &progress)
            .context("getting the browser's driver")?;
        tests.args(["--package", "skyload", "--run-ignored", "only", "browser::"]);
        tests.args(&flags.nextest).env(env::BROWSER, browser);
        return run_in_checkout(&workspace, &mut tests).context("running the tests in a browser");
    }
    // nextest does not show what a skipped test prints.
    if let Some(reason) = loopback::obstacle_to_tests_of_nodes() {
        progress.note(format!("Tests of the nodes of emulated AWS are skipped: {reason}"));
    }
    tests.arg("--workspace").args(&flags.nextest);
    run_in_checkout(&workspace, &mut tests).context("running the tests")?;
    // nextest runs no doctests.
    let mut doctests = Command::new("cargo");
    doctests.args(["test", "--quiet", "--doc", "--workspace"]);
    run_in_checkout(&workspace, &mut doctests).context("running the doctests")
}

/// Runs a command in the checkout that must succeed.
fn run_in_checkout(workspace: &Workspace, command: &mut Command) -> Result<()> {
    let status = without_outer_cargo(command)
        .current_dir(&workspace.root)
        .status()
        .context("starting the command")?;
    ensure!(status.success(), "failed ({status})");
    Ok(())
}
