//! A file that one process at a time holds.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Held until it is dropped. The kernel lets go of it when the process ends, however it
/// ends.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock, and notes in the file who holds it; `None` where another process does.
    ///
    /// It does not wait: a process that waits for a lock is deaf to Ctrl-C.
    pub fn try_take(path: &Path) -> Result<Option<Self>> {
        let opening = || format!("opening `{}`", path.display());
        let mut options = File::options();
        // What stands in it is the holder's, until it is ours.
        let options = options.create(true).truncate(false).read(true).write(true);
        let mut file = options.open(path).with_context(opening)?;
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
        Ok(Some(Self { _file: file }))
    }

    /// The pid of who holds it, as far as that is noted.
    pub fn holder(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default().trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_at_a_time_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = FileLock::try_take(&path).unwrap().unwrap();
        assert!(FileLock::try_take(&path).unwrap().is_none());
        assert_eq!(FileLock::holder(&path), std::process::id().to_string());
        drop(first);
        assert!(FileLock::try_take(&path).unwrap().is_some());
    }
}
