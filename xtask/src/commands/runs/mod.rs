//! `cargo xtask runs`: the runs that were made here, and the removal of old ones; and for
//! all commands, which run a name stands for.

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

/// Where the runs are.
fn folder(workspace: &Workspace, out: Option<&Path>) -> Result<PathBuf> {
    match out {
        Some(out) if !out.is_dir() => {
            bail!(UsageErrors(vec![format!(
                "--out: there is no folder `{}`\n  hint: `cargo xtask runs` lists the runs that were \
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

/// Says that `latest` does not lead to what was just made, if it doesn't.
pub(crate) fn say_whether_latest(is_latest: bool, made: &Path, progress: Progress) {
    if !is_latest && let Some(folder) = made.parent() {
        progress.note(format!(
            "`{}` is not skyload's and stays as it is; this one is {}",
            folder.join("latest").display(),
            made.display()
        ));
    }
}
