//! Removal of environments and repositories that a build from source has left, once they are
//! unused.
//!
//! Each state of a checkout is an environment of some 500 MB. Environments of releases stay: there
//! are few, and a release never changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use host::tools::remove_folder;

use super::SOURCE;
use super::repository::CACHE;
use crate::sky::stamp::Stamp;
use crate::sky::wanted::AS_OF;

/// Time without a use after which an environment or a repository is removed.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Removes what has not been used for a month, and environments that were never completed. The
/// caller holds the lock of installations.
pub(super) fn remove(state_dir: &Path) -> Result<()> {
    for folder in folders(&state_dir.join("sky"))? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if !(name.starts_with(SOURCE) || name.contains(AS_OF)) {
            continue;
        }
        if Stamp::last_use(&folder).is_none_or(is_long_ago) {
            remove_folder(&folder)?;
        }
    }
    for folder in folders(&state_dir.join(CACHE))? {
        // A fetch writes this file.
        let fetched = folder.join("FETCH_HEAD").metadata().and_then(|file| file.modified());
        if fetched.is_ok_and(is_long_ago) {
            remove_folder(&folder)?;
        }
    }
    Ok(())
}

fn is_long_ago(time: SystemTime) -> bool {
    SystemTime::now().duration_since(time).is_ok_and(|age| age > KEPT)
}

/// Folders in `parent`; none if it does not exist.
fn folders(parent: &Path) -> Result<Vec<PathBuf>> {
    if !parent.is_dir() {
        return Ok(Vec::new());
    }
    let reading = || format!("reading {}", parent.display());
    let mut folders = Vec::new();
    for entry in fs::read_dir(parent).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn environments_from_source_are_removed_a_month_after_their_last_use() {
        let state = tempfile::tempdir().unwrap();
        let environment = |name: &str, days: Option<u64>| {
            let folder = state.path().join("sky").join(name);
            fs::create_dir_all(&folder).unwrap();
            if let Some(days) = days {
                let file = File::create(folder.join("skyload-ready.json")).unwrap();
                let age = Duration::from_secs(days * 24 * 60 * 60);
                file.set_modified(SystemTime::now() - age).unwrap();
            }
        };
        environment("source-0123456789ab", Some(29));
        environment("source-0123456789ab-dirty-fedcba987654", Some(31));
        environment("source-incomplete", None);
        environment("0.14.1-as-of-20261120T235959Z-py3.11.7", Some(31));
        environment("0.14.1", Some(31));
        remove(state.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(state.path().join("sky"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["0.14.1", "source-0123456789ab"]);
    }
}
