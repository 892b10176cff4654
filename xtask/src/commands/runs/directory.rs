//! Which directories are those of runs.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use skyload::ids::RunId;
use skyload::record::RunDir;

/// The directory of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunDirectory {
    pub(super) run: RunDir,
    /// When the run began, by its id.
    pub(super) began: SystemTime,
}

impl RunDirectory {
    /// All in a folder, the newest first. Whatever else is there is left out: links,
    /// files, and directories that are not called as runs are or hold nothing that a
    /// run's does. No folder, no runs.
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
            // A link is no directory here, not even one to a directory.
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let began = RunId::of_directory(&entry.path()).began();
            if let (true, Some(began)) = (is_directory, began) {
                let run = RunDir::open(&entry.path())?;
                if run.plan().is_file() || run.outcomes().is_dir() {
                    runs.push(Self { run, began });
                }
            }
        }
        runs.sort_by(|one, other| other.run.path().cmp(one.run.path()));
        Ok(runs)
    }

    /// How long ago the run began.
    pub(super) fn age(&self) -> Duration {
        SystemTime::now().duration_since(self.began).unwrap_or_default()
    }

    /// How long nothing has been added to it or taken from it.
    pub(super) fn unchanged_for(&self) -> Duration {
        let changed = self.run.path().metadata().and_then(|facts| facts.modified());
        changed.ok().and_then(|changed| changed.elapsed().ok()).unwrap_or_default()
    }

    /// When it began, for people.
    pub(super) fn date(&self) -> String {
        humantime::format_rfc3339_seconds(self.began).to_string().replace('T', " ").replace('Z', "")
    }

    /// The bytes of all its files.
    pub(super) fn size(&self) -> u64 {
        size_of(self.run.path())
    }

    pub(super) fn path(&self) -> PathBuf {
        self.run.path().to_owned()
    }
}

/// What cannot be read counts nothing: this is a figure for people.
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
    fn runs_are_found_newest_first_and_nothing_else_is() {
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
    fn where_no_run_was_ever_made_there_are_none() {
        assert_eq!(RunDirectory::all_in(Path::new("/nonexistent/runs")).unwrap(), []);
    }
}
