//! Lock for installations: concurrent ones would write to the same folders.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::lock::FileLock;

/// Lock of the state directory during an installation.
#[derive(Debug)]
pub struct SetupLock {
    _lock: FileLock,
}

impl SetupLock {
    /// Takes the lock; an error with a hint if another process holds it.
    pub fn take(state_dir: &Path) -> Result<Self> {
        fs::create_dir_all(state_dir)
            .with_context(|| format!("creating {}", state_dir.display()))?;
        match FileLock::try_take(&state_dir.join("setup.lock"))? {
            Some(lock) => Ok(Self { _lock: lock }),
            None => bail!(
                "another `cargo xtask` is installing into {}\n  hint: wait for it, or set \
                 SKYLOAD_STATE_DIR to another directory",
                state_dir.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concurrent_installation_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("not/yet");
        let first = SetupLock::take(&state_dir).unwrap();
        let error = SetupLock::take(&state_dir).unwrap_err().to_string();
        assert!(error.contains("another `cargo xtask` is installing"), "{error}");
        drop(first);
        SetupLock::take(&state_dir).unwrap();
    }
}
