//! One set-up at a time: two that write the same folders would break each other.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Held for as long as something is installed. The kernel lets go of it when
/// the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct SetupLock(#[expect(dead_code, reason = "held, not read")] File);

impl SetupLock {
    /// Takes the lock, or says who must finish first.
    ///
    /// It does not wait: a process that waits for a lock is deaf to Ctrl-C.
    pub(crate) fn take(state_dir: &Path) -> Result<Self> {
        fs::create_dir_all(state_dir)
            .with_context(|| format!("creating {}", state_dir.display()))?;
        let path = state_dir.join("setup.lock");
        let file = File::create(&path).with_context(|| format!("opening {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => bail!(
                "another `cargo xtask` is installing into {}\n  hint: try again when it has \
                 finished, or use another SKYLOAD_STATE_DIR",
                state_dir.display()
            ),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("locking {}", path.display()))
            }
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
