//! The mark of a finished environment, written last.
//!
//! An environment cannot be made aside and moved into place, since its scripts
//! hold its path. Instead one without this mark is not finished, and is made anew.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use host::tools::is_program;
use serde::{Deserialize, Serialize};
use skyload::record::write_json;

use super::constants::Answer;

const FILE: &str = "skyload-ready.json";

/// To be raised with every change of this file's or the probe's meaning, or of what
/// is installed.
const FORMAT: u32 = 4;

/// What is in an environment. Its facts are kept so that a second run needn't
/// start a Python to learn them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Stamp {
    format: u32,
    /// Where it was made: a copy of it elsewhere would run this one's Python.
    folder: PathBuf,
    /// As of when its packages were resolved; `None` for "without a limit".
    pub(super) resolved_as_of: Option<String>,
    pub(super) answer: Answer,
}

impl Stamp {
    pub(super) fn new(folder: &Path, resolved_as_of: Option<String>, answer: Answer) -> Self {
        Self { format: FORMAT, folder: folder.to_owned(), resolved_as_of, answer }
    }

    /// The stamp of a finished and usable environment in `folder`.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        let text = fs::read(folder.join(FILE)).ok()?;
        // Whatever cannot be read is of another time: the environment is made anew.
        let stamp: Self = serde_json::from_slice(&text).ok()?;
        // The Python it links to goes away when the system gets a newer one.
        let usable = stamp.format == FORMAT
            && stamp.folder == folder
            && is_program(&folder.join("bin/python"))
            && is_program(&folder.join("bin/sky"));
        usable.then_some(stamp)
    }

    /// Declares the environment finished.
    pub(super) fn write(&self) -> Result<()> {
        write_json(&self.folder.join(FILE), self).context("declaring the environment finished")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::script;

    fn answer() -> Answer {
        serde_json::from_str(
            r#"{"version": "0.14.1", "commit": "7e59", "source": "config.py", "selects_port": true,
                "constants": {"LONG_WORKER_MEM_GB": 0.4}}"#,
        )
        .unwrap()
    }

    fn environment() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        script(&folder.path().join("bin/python"), "");
        script(&folder.path().join("bin/sky"), "");
        folder
    }

    #[test]
    fn a_finished_environment_is_known_with_its_facts() {
        let folder = environment();
        assert_eq!(Stamp::of(folder.path()), None);
        let stamp = Stamp::new(folder.path(), Some("2026-11-03T00:00:00Z".into()), answer());
        stamp.write().unwrap();
        assert_eq!(Stamp::of(folder.path()), Some(stamp));
    }

    #[test]
    fn an_environment_whose_python_went_away_is_not_usable() {
        let folder = environment();
        Stamp::new(folder.path(), None, answer()).write().unwrap();
        let python = folder.path().join("bin/python");
        fs::remove_file(&python).unwrap();
        std::os::unix::fs::symlink("/nowhere/python3.11", &python).unwrap();
        assert_eq!(Stamp::of(folder.path()), None);
    }

    #[test]
    fn a_moved_environment_is_not_usable() {
        let (here, there) = (environment(), environment());
        Stamp::new(here.path(), None, answer()).write().unwrap();
        fs::copy(here.path().join(FILE), there.path().join(FILE)).unwrap();
        assert_eq!(Stamp::of(there.path()), None);
    }
}
