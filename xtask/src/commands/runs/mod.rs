//! `cargo xtask runs`: list of runs, and removal of old ones. Also finds runs by name, for all
//! commands.

mod directory;
pub(crate) mod find;
mod list;
mod prune;
mod summary;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::plan::UsageErrors;

use crate::flags::{self, RunsAct};
use directory::RunDirectory;
use summary::{RunState, RunSummary};

pub(crate) fn run(flags: &flags::Runs) -> Result<()> {
    let workspace = Workspace::locate()?;
    match &flags.act {
        None => {
            let folder = folder(&workspace, flags.out.as_deref())?;
            let runs = RunDirectory::all_in(&folder)?;
            let runs: Vec<RunSummary> =
                runs.iter().map(|run| RunSummary::read(run, &workspace)).collect();
            list::show(&runs, &folder, flags.format)
        }
        Some(RunsAct::Prune(flags)) => {
            let folder = folder(&workspace, flags.out.as_deref())?;
            prune::run(flags, &workspace, &folder)
        }
    }
}

/// Directory of the runs.
fn folder(workspace: &Workspace, out: Option<&Path>) -> Result<PathBuf> {
    match out {
        Some(out) if !out.is_dir() => {
            bail!(UsageErrors(vec![format!(
                "--out: directory `{}` not found\n  hint: `cargo xtask runs` lists the runs that were \
                 made without --out",
                out.display()
            )]))
        }
        Some(out) => {
            out.canonicalize().with_context(|| format!("finding the runs in `{}`", out.display()))
        }
        None => Ok(workspace.runs()),
    }
}

/// Notes that the link `latest` was not set to a new directory, if so.
pub(crate) fn warn_if_not_latest(is_latest: bool, made: &Path, progress: Progress) {
    if !is_latest && let Some(folder) = made.parent() {
        progress.note(format!(
            "`{}` was not made by skyload and is not changed; the new results are in {}",
            folder.join("latest").display(),
            made.display()
        ));
    }
}
