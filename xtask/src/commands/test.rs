//! `cargo xtask test`: everything that passes without a SkyPilot server.

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
            .context("getting a browser to try pages in")?;
        browser::install_driver(&workspace.root.join("tests/browser"), &progress)
            .context("getting the driver of the browser")?;
        tests.args(["--package", "skyload", "--run-ignored", "only", "browser::"]);
        tests.args(&flags.nextest).env(env::BROWSER, browser);
        return succeed(&workspace, &mut tests).context("running the tests in a browser");
    }
    tests.arg("--workspace").args(&flags.nextest);
    succeed(&workspace, &mut tests).context("running the tests")?;
    // nextest runs no doctests.
    let mut doctests = Command::new("cargo");
    doctests.args(["test", "--quiet", "--doc", "--workspace"]);
    succeed(&workspace, &mut doctests).context("running the doctests")
}

fn succeed(workspace: &Workspace, command: &mut Command) -> Result<()> {
    let status = without_outer_cargo(command)
        .current_dir(&workspace.root)
        .status()
        .context("starting them")?;
    ensure!(status.success(), "they failed ({status})");
    Ok(())
}
