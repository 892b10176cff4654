//! Where things are: the checkout, and the state directory with tools,
//! installations and runs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use skyload::env;
use skyload::record::RunDir;

use crate::lock::FileLock;

/// The checkout and its state directory.
pub struct Workspace {
    /// The checkout.
    pub root: PathBuf,
    /// The state directory.
    pub state: PathBuf,
}

impl Workspace {
    /// This checkout, and the state directory in it, or where the environment says.
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

    /// Where runs are kept.
    pub fn runs(&self) -> PathBuf {
        self.state.join("runs")
    }

    /// How commands are told which run: by its id, or by its directory where they would not
    /// look for it.
    pub fn name_of(&self, run: &RunDir) -> String {
        match run.path().parent() == Some(&self.runs()) {
            true => run.id().to_string(),
            false => run.path().display().to_string(),
        }
    }

    /// Where profiles are kept that belong to no run.
    pub fn profiles(&self) -> PathBuf {
        self.state.join("profiles")
    }

    /// Where benchmarks leave their figures.
    pub fn bench(&self) -> PathBuf {
        self.state.join("bench")
    }

    /// Where runs note what they have yet to clear away.
    pub fn custody(&self) -> PathBuf {
        self.state.join("custody")
    }

    /// Makes sure that only one run at a time loads this machine from here: two
    /// would measure each other.
    pub fn lock(&self) -> Result<FileLock> {
        match self.try_lock()? {
            Some(lock) => Ok(lock),
            None => bail!(
                "another run is under way here (pid {})\n  hint: wait for it, or press Ctrl-C there",
                FileLock::holder(&self.lock_file())
            ),
        }
    }

    /// The same, or `None` when a run is under way.
    pub fn try_lock(&self) -> Result<Option<FileLock>> {
        FileLock::try_take(&self.lock_file())
    }

    fn lock_file(&self) -> PathBuf {
        self.state.join("lock")
    }
}

/// This very program, even where its file was replaced by a newer build meanwhile:
/// parts of a run that are processes of their own are this program once more.
pub fn own_program() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().context("finding this program's own file")
}
