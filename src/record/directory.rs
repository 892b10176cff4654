//! Directories of runs and profiles, which are private, and the link `latest` to the newest.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use super::RecordError;
use crate::ids::RunId;

/// Creates a directory that only its owner can read.
pub(super) fn create_private(path: &Path, act: &'static str) -> Result<(), RecordError> {
    let io = |act| move |source| RecordError::Io { act, path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io("create the parent directory of"))?;
    }
    // Fails if the directory exists, so that two runs cannot share one.
    fs::DirBuilder::new().mode(0o700).create(path).map_err(io(act))
}

pub(super) fn open(path: &Path, act: &'static str) -> Result<PathBuf, RecordError> {
    path.canonicalize().map_err(|source| RecordError::Io { act, path: path.to_owned(), source })
}

pub(super) fn link_latest(path: &Path) -> Result<bool, RecordError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(false);
    };
    let (link, fresh) = (parent.join("latest"), parent.join(".latest.new"));
    if link.symlink_metadata().is_ok() && !is_run_link(&link) {
        return Ok(false);
    }
    let io = |source| RecordError::Io { act: "update the link", path: link.clone(), source };
    // A crash may have left the temporary link. The rename replaces `latest` atomically.
    _ = fs::remove_file(&fresh);
    // A relative target stays valid if the parent directory is moved.
    symlink(name, &fresh).map_err(io)?;
    fs::rename(&fresh, &link).map_err(io)?;
    Ok(true)
}

/// Whether a path is a link to a run or profile in the same directory, also to one that does
/// not exist any more. skyload updates only such links.
pub fn is_run_link(link: &Path) -> bool {
    fs::read_link(link).is_ok_and(|target| {
        target.components().count() == 1 && RunId::of_directory(&target).began().is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RunDir;

    #[test]
    fn latest_points_to_the_newest_run_and_other_files_are_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("latest");
        let run = |id: &str| RunDir::create(&folder.path().join(id)).unwrap();
        let (first, second) = (run("20261123-080000-00aa"), run("20261124-080000-00bb"));
        assert!(first.link_latest().unwrap() && second.link_latest().unwrap());
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("20261124-080000-00bb"));

        for target in ["/elsewhere/20261124-080000-00bb", "holiday"] {
            fs::remove_file(&link).unwrap();
            symlink(target, &link).unwrap();
            assert!(!first.link_latest().unwrap());
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
        }
        fs::remove_file(&link).unwrap();
        fs::write(&link, "news").unwrap();
        assert!(!first.link_latest().unwrap());
        assert_eq!(fs::read_to_string(&link).unwrap(), "news");
    }
}
