//! Where things are: the checkout, and the state directory with tools,
//! installations and runs.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use skyload::env;
use skyload::record::RunDir;

/// The checkout and its state directory.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) state: PathBuf,
}

/// Held while a run uses the machine.
pub(crate) struct RunLock {
    _file: File,
}

impl Workspace {
    pub(crate) fn locate() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("finding the checkout above xtask")?
            .to_owned();
        let state = env::path(env::STATE_DIR).unwrap_or_else(|| root.join("target/skyload"));
        fs::create_dir_all(&state)
            .with_context(|| format!("creating the state directory `{}`", state.display()))?;
        let state = state.canonicalize().context("finding the state directory")?;
        Ok(Self { root, state })
    }

    /// Where runs are kept.
    pub(crate) fn runs(&self) -> PathBuf {
        self.state.join("runs")
    }

    /// How commands are told which run: by its id, or by its directory where they would not
    /// look for it.
    pub(crate) fn name_of(&self, run: &RunDir) -> String {
        match run.path().parent() == Some(&self.runs()) {
            true => run.id().to_string(),
            false => run.path().display().to_string(),
        }
    }

    /// Where profiles are kept that belong to no run.
    pub(crate) fn profiles(&self) -> PathBuf {
        self.state.join("profiles")
    }

    /// Where benchmarks leave their figures.
    pub(crate) fn bench(&self) -> PathBuf {
        self.state.join("bench")
    }

    /// Where runs note what they have yet to clear away.
    pub(crate) fn custody(&self) -> PathBuf {
        self.state.join("custody")
    }

    /// Makes sure that only one run at a time loads this machine from here: two
    /// would measure each other.
    pub(crate) fn lock(&self) -> Result<RunLock> {
        match self.try_lock()? {
            Some(lock) => Ok(lock),
            None => {
                let holder = fs::read_to_string(self.lock_file()).unwrap_or_default();
                bail!(
                    "another run is under way here (pid {})\n  hint: wait for it, or press Ctrl-C \
                     there",
                    holder.trim()
                );
            }
        }
    }

    /// The same, or `None` when a run is under way.
    pub(crate) fn try_lock(&self) -> Result<Option<RunLock>> {
        let path = self.lock_file();
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("opening `{}`", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking `{}`", path.display()));
            }
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .with_context(|| format!("writing `{}`", path.display()))?;
        Ok(Some(RunLock { _file: file }))
    }

    fn lock_file(&self) -> PathBuf {
        self.state.join("lock")
    }
}

/// This very program, even where its file was replaced by a newer build meanwhile:
/// parts of a run that are processes of their own are this program once more.
pub(crate) fn own_program() -> Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok(PathBuf::from("/proc/self/exe"));
    }
    std::env::current_exe().context("finding this program's own file")
}
