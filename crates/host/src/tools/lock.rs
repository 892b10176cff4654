//! One set-up at a time: two that write the same folders would break each other.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::lock::FileLock;

/// Held for as long as something is installed.
#[derive(Debug)]
pub struct SetupLock {
    _lock: FileLock,
}

impl SetupLock {
    /// Takes the lock, or says who must finish first.
    pub fn take(state_dir: &Path) -> Result<Self> {
        fs::create_dir_all(state_dir)
            .with_context(|| format!("creating {}", state_dir.display()))?;
        match FileLock::try_take(&state_dir.join("setup.lock"))? {
            Some(lock) => Ok(Self { _lock: lock }),
            None => bail!(
                "another `cargo xtask` is installing into {}\n  hint: try again when it has \
                 finished, or use another SKYLOAD_STATE_DIR",
                state_dir.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_setup_is_told_to_come_back_later() {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("not/yet");
        let first = SetupLock::take(&state_dir).unwrap();
        let error = SetupLock::take(&state_dir).unwrap_err().to_string();
        assert!(error.contains("another `cargo xtask` is installing"), "{error}");
        drop(first);
        SetupLock::take(&state_dir).unwrap();
    }
}
