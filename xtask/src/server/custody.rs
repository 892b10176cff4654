//! What a run has yet to clear away, written down before it exists.
//!
//! A run that is killed outright can't clean up. Its custody file says which
//! processes and directories are its, and the next run clears them away.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use skyload::ids::ProcessIdentity;
use skyload::run_dir::{FORMAT_VERSION, RunDir};

use super::processes::{Belongings, Owned};
use crate::progress::Progress;
use crate::workspace::Workspace;

/// What a run has yet to clear away.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Custody {
    pub(super) version: u32,
    /// The process that looks after it, as long as that lives.
    pub(super) owner: Option<ProcessIdentity>,
    /// Left running on purpose (`--keep-server`).
    pub(super) kept: bool,
    /// The server was there before the run and stays when the run is gone.
    pub(super) is_users: bool,
    pub(super) belongings: Belongings,
}

impl Custody {
    pub(super) fn take(run: &RunDir, directory: Option<PathBuf>, is_users: bool) -> Result<Self> {
        let belongings = Belongings { run: run.id(), directory, known: Vec::new() };
        let custody = Self {
            version: FORMAT_VERSION,
            owner: ProcessIdentity::current(),
            kept: false,
            is_users,
            belongings,
        };
        custody.write(run)?;
        Ok(custody)
    }

    /// Notes that a process belongs to the server.
    pub(super) fn add(&mut self, run: &RunDir, process: ProcessIdentity) -> Result<()> {
        self.belongings.known.push(process);
        self.write(run)
    }

    /// Leaves everything as it is, for the next run to find.
    pub(super) fn keep(&mut self, run: &RunDir) -> Result<()> {
        self.kept = true;
        self.write(run)
    }

    /// Clears everything away. Returns the processes that were still there.
    pub(super) fn clear(&self, run: &RunDir) -> Result<Vec<Owned>> {
        let removed = self.belongings.remove()?;
        if let Some(directory) = &self.belongings.directory
            && directory.starts_with(run.path())
        {
            remove_directory(directory)?;
        }
        match fs::remove_file(run.custody()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).context("removing the run's custody file")
            }
            _ => Ok(removed),
        }
    }

    fn write(&self, run: &RunDir) -> Result<()> {
        RunDir::write(&run.custody(), self).context("noting what is to be cleared away")
    }
}

fn remove_directory(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error)
            .with_context(|| format!("removing the server's directory `{}`", directory.display())),
        _ => Ok(()),
    }
}

/// Clears away what runs left that were killed, or that kept their server.
pub(crate) fn clean_up_after_dead_runs(workspace: &Workspace, progress: Progress) -> Result<()> {
    let Ok(runs) = fs::read_dir(workspace.runs()) else { return Ok(()) };
    for entry in runs.filter_map(Result::ok) {
        // `latest` points to a run that comes by its own name as well.
        if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            continue;
        }
        let Ok(run) = RunDir::open(&entry.path()) else { continue };
        let custody: Option<Custody> = RunDir::read_optional(&run.custody(), "custody file")?;
        let Some(custody) = custody else { continue };
        if !custody.kept && custody.owner.is_some_and(ProcessIdentity::is_alive) {
            continue;
        }
        if custody.is_users {
            fs::remove_file(run.custody()).context("removing a run's custody file")?;
            continue;
        }
        let removed = custody.clear(&run)?;
        let why = if custody.kept { "kept its server" } else { "was killed" };
        progress.note(format!(
            "Cleaned up after run {}, which {why}: {} process(es) ended",
            run.id(),
            removed.len()
        ));
    }
    Ok(())
}
