//! File locks, each held by one process at a time.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Exclusive lock of a file, held until dropped. The kernel releases the lock of a process
/// that exits or is killed.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock and writes this process's pid to the file; `None` if another process
    /// holds the lock.
    ///
    /// Never blocks: a process that is blocked in `flock` does not react to Ctrl-C.
    pub fn try_take(path: &Path) -> Result<Option<Self>> {
        let opening = || format!("opening `{}`", path.display());
        let mut options = File::options();
        // Not truncated here: until the lock is taken, the content is the holder's pid.
        let options = options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(path).with_context(opening)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking `{}`", path.display()));
            }
        }
        // Removes the pid of an earlier holder: the file stays when its lock is released.
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .with_context(|| format!("writing `{}`", path.display()))?;
        Ok(Some(Self { _file: file }))
    }

    /// Pid of the process that holds the lock, as written in the file; empty if unknown.
    pub fn holder(path: &Path) -> String {
        // Not exact for a moment: a new holder takes the lock before it writes its pid.
        fs::read_to_string(path).unwrap_or_default().trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_holds_the_lock_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = FileLock::try_take(&path).unwrap().unwrap();
        assert!(FileLock::try_take(&path).unwrap().is_none());
        assert_eq!(FileLock::holder(&path), std::process::id().to_string());
        drop(first);
        assert!(FileLock::try_take(&path).unwrap().is_some());
    }
}
