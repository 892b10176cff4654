//! `cargo xtask test`: everything that passes without a SkyPilot server.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::flags;
use crate::nextest::without_outer_cargo;
use crate::progress::Progress;
use crate::tools;
use crate::workspace::Workspace;

pub(crate) fn run(flags: &flags::Test) -> Result<()> {
    let workspace = Workspace::locate()?;
    let nextest = tools::nextest::find_or_install(&workspace.state, &Progress::new())?;
    let mut tests = Command::new(nextest);
    tests.args(["nextest", "run", "--workspace"]).args(&flags.nextest);
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
