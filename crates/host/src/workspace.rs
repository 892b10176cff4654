//! Directories of skyload: the checkout, and the state directory with tools, installations and
//! runs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use skyload::env;
use skyload::record::RunDir;

use crate::lock::FileLock;

/// Checkout and state directory.
pub struct Workspace {
    /// Root of the checkout.
    pub root: PathBuf,
    /// State directory, an absolute path without symbolic links.
    pub state: PathBuf,
}

impl Workspace {
    /// Workspace of this checkout. The state directory is `target/skyload` in the checkout
    /// unless `SKYLOAD_STATE_DIR` names another one.
    pub fn locate() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("finding the checkout above crates/host")?
            .to_owned();
        let state = env::path(env::STATE_DIR).unwrap_or_else(|| root.join("target/skyload"));
        fs::create_dir_all(&state)
            .with_context(|| format!("creating the state directory `{}`", state.display()))?;
        let state = state.canonicalize().context("finding the state directory")?;
        Ok(Self { root, state })
    }

    /// Directory of the results of runs.
    pub fn runs(&self) -> PathBuf {
        self.state.join("runs")
    }

    /// Name of a run for command lines: its id, or its path if it is not below
    /// [`Self::runs`].
    pub fn name_of(&self, run: &RunDir) -> String {
        match run.path().parent() == Some(&self.runs()) {
            true => run.id().to_string(),
            false => run.path().display().to_string(),
        }
    }

    /// Directory of the comparisons of runs.
    pub fn comparisons(&self) -> PathBuf {
        self.state.join("comparisons")
    }

    /// Directory of the searches for a version that made a metric worse.
    pub fn bisections(&self) -> PathBuf {
        self.state.join("bisections")
    }

    /// Directory of the explanations of runs' peaks.
    pub fn explanations(&self) -> PathBuf {
        self.state.join("explanations")
    }

    /// Directory of the profiles that belong to no run.
    pub fn profiles(&self) -> PathBuf {
        self.state.join("profiles")
    }

    /// Directory of the results of benchmarks.
    pub fn bench(&self) -> PathBuf {
        self.state.join("bench")
    }

    /// Directory of the cleanup records of runs.
    pub fn custody(&self) -> PathBuf {
        self.state.join("custody")
    }

    /// Takes the lock that allows one run at a time: concurrent runs would measure each other.
    pub fn lock(&self) -> Result<FileLock> {
        match self.try_lock()? {
            Some(lock) => Ok(lock),
            None => bail!(
                "another run is active (pid {})\n  hint: wait for it, or press Ctrl-C there",
                FileLock::holder(&self.lock_file())
            ),
        }
    }

    /// Takes the lock of [`Self::lock`]; `None` if a run is active.
    pub fn try_lock(&self) -> Result<Option<FileLock>> {
        FileLock::try_take(&self.lock_file())
    }

    fn lock_file(&self) -> PathBuf {
        self.state.join("lock")
    }
}

/// Path that starts this program once more, for parts of a run that are separate processes.
pub fn own_program() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        // The running build, even if a newer one has replaced its file.
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().context("finding this program's own file")
}
