//! Directories of runs.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use skyload::ids::RunId;
use skyload::record::RunDir;

/// Directory of a run, with the run's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunDirectory {
    pub(super) run: RunDir,
    /// Start of the run, from its id.
    pub(super) began: SystemTime,
}

impl RunDirectory {
    /// Runs in a directory, newest first; none if it does not exist. Leaves out links, files, and
    /// directories without the name and the files of a measured run.
    pub(super) fn all_in(folder: &Path) -> Result<Vec<Self>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("reading `{}`", folder.display()));
            }
        };
        let mut runs = Vec::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("reading `{}`", folder.display()))?;
            // Not `Path::is_dir`, which follows links such as `latest`.
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let began = RunId::of_directory(&entry.path()).began();
            if let (true, Some(began)) = (is_directory, began) {
                let run = RunDir::open(&entry.path())?;
                // A run that is starting has the directory of outcomes before it has a plan.
                let is_run = run.plan().is_file() || run.outcomes().is_dir();
                if is_run && !run.is_traced() {
                    runs.push(Self { run, began });
                }
            }
        }
        // An id begins with the date of its run.
        runs.sort_by(|one, other| other.run.path().cmp(one.run.path()));
        Ok(runs)
    }

    /// Time since the run's start.
    pub(super) fn age(&self) -> Duration {
        SystemTime::now().duration_since(self.began).unwrap_or_default()
    }

    /// Time since an entry was last added to the directory or removed from it.
    pub(super) fn unchanged_for(&self) -> Duration {
        let changed = self.run.path().metadata().and_then(|facts| facts.modified());
        changed.ok().and_then(|changed| changed.elapsed().ok()).unwrap_or_default()
    }

    /// Start of the run as text, in UTC.
    pub(super) fn date(&self) -> String {
        humantime::format_rfc3339_seconds(self.began).to_string().replace('T', " ").replace('Z', "")
    }

    /// Size of all files, in bytes.
    pub(super) fn size(&self) -> u64 {
        size_of(self.run.path())
    }

    pub(super) fn path(&self) -> PathBuf {
        self.run.path().to_owned()
    }
}

/// Size of all files below a path, in bytes. Unreadable ones are left out: the figure is only
/// shown.
fn size_of(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let facts = entry.metadata().ok()?;
            Some(if facts.is_dir() { size_of(&entry.path()) } else { facts.len() })
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_runs_are_found_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for id in ["20261123-080000-00aa", "20261124-080000-00bb"] {
            RunDir::create(&path(id)).unwrap();
        }
        fs::create_dir(path("20261122-080000-00cc")).unwrap();
        fs::create_dir_all(path("photos/outcomes")).unwrap();
        fs::write(path("20261121-080000-00dd"), "a file").unwrap();
        symlink("20261124-080000-00bb", path("latest")).unwrap();
        symlink("20261124-080000-00bb", path("20261125-080000-00ee")).unwrap();
        let found = RunDirectory::all_in(folder.path()).unwrap();
        let ids: Vec<String> = found.iter().map(|run| run.run.id().to_string()).collect();
        assert_eq!(ids, ["20261124-080000-00bb", "20261123-080000-00aa"]);
        assert_eq!(found[0].date(), "2026-11-24 08:00:00");
    }

    #[test]
    fn a_missing_directory_has_no_runs() {
        assert_eq!(RunDirectory::all_in(Path::new("/nonexistent/runs")).unwrap(), []);
    }
}
