//! Stamp of a complete virtual environment, written last.
//!
//! An environment cannot be built in a temporary place and moved, since its scripts contain its
//! path. Instead, an environment without a stamp is incomplete and is built again.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use host::tools::is_program;
use serde::{Deserialize, Serialize};
use skyload::plan::ResolutionDate;
use skyload::record::write_json;

use super::constants::ProbeOutput;

const FILE: &str = "skyload-ready.json";

/// Format of the stamp. Raise it when the meaning of the stamp or of the probe's output changes,
/// or the set of installed packages.
const FORMAT: u32 = 6;

/// Contents of an environment. Includes the probe's output, so that later runs need not start a
/// Python to get it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Stamp {
    format: u32,
    /// Directory of the environment: a copy in another place would run this one's Python.
    folder: PathBuf,
    /// Python that the environment was made with; absent from stamps of earlier builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    python: Option<PythonFile>,
    /// Date limit by which packages were resolved; `None` without a limit.
    pub(super) resolved_as_of: Option<ResolutionDate>,
    pub(super) answer: ProbeOutput,
}

/// File of the Python that an environment links to. An upgrade replaces it in place, whose version
/// is then not the recorded one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PythonFile {
    path: PathBuf,
    size: u64,
    /// Time of the last change, in seconds since 1970.
    modified: i64,
}

impl PythonFile {
    /// Python of the environment in `folder`; `None` without one.
    fn of(folder: &Path) -> Option<Self> {
        let path = folder.join("bin/python").canonicalize().ok()?;
        let file = path.metadata().ok()?;
        Some(Self { path, size: file.size(), modified: file.mtime() })
    }
}

impl Stamp {
    pub(super) fn new(
        folder: &Path,
        resolved_as_of: Option<ResolutionDate>,
        answer: ProbeOutput,
    ) -> Self {
        let (folder, python) = (folder.to_owned(), PythonFile::of(folder));
        Self { format: FORMAT, folder, python, resolved_as_of, answer }
    }

    /// Stamp of a complete and usable environment in `folder`.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        let text = fs::read(folder.join(FILE)).ok()?;
        // A stamp of another format need not parse: the environment is built again.
        let stamp: Self = serde_json::from_slice(&text).ok()?;
        // `bin/python` is a link to the system's Python, which an upgrade may remove or replace.
        let usable = stamp.format == FORMAT
            && stamp.folder == folder
            && (stamp.python.is_none() || stamp.python == PythonFile::of(folder))
            && is_program(&folder.join("bin/python"))
            && is_program(&folder.join("bin/sky"));
        usable.then_some(stamp)
    }

    /// Whether packages were resolved as of this date, for this version of Python.
    pub(super) fn is_as_of(&self, date: &ResolutionDate, python: &str) -> bool {
        self.resolved_as_of.as_ref() == Some(date) && self.answer.is_of_python(python)
    }

    /// Records that the environment is used now, as the time of the stamp's file.
    pub(super) fn mark_used(&self) {
        // Without a permission to write, the environment is older than it looks, and rebuilt.
        let file = fs::File::options().append(true).open(self.folder.join(FILE));
        _ = file.and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// Time of the last use of the environment in `folder`; `None` without a stamp.
    pub(super) fn last_use(folder: &Path) -> Option<SystemTime> {
        folder.join(FILE).metadata().ok()?.modified().ok()
    }

    /// Writes the stamp, which declares the environment complete.
    pub(super) fn write(&self) -> Result<()> {
        write_json(&self.folder.join(FILE), self).context("writing the environment's stamp")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::script;

    fn answer() -> ProbeOutput {
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
    fn the_stamp_of_a_complete_environment_is_read_back() {
        let folder = environment();
        assert_eq!(Stamp::of(folder.path()), None);
        let stamp = Stamp::new(folder.path(), Some("2026-11-03".parse().unwrap()), answer());
        stamp.write().unwrap();
        assert_eq!(Stamp::of(folder.path()), Some(stamp));
    }

    #[test]
    fn an_environment_without_its_python_is_not_usable() {
        let folder = environment();
        Stamp::new(folder.path(), None, answer()).write().unwrap();
        let python = folder.path().join("bin/python");
        fs::remove_file(&python).unwrap();
        std::os::unix::fs::symlink("/nowhere/python3.11", &python).unwrap();
        assert_eq!(Stamp::of(folder.path()), None);
    }

    #[test]
    fn an_environment_whose_python_was_upgraded_in_place_is_not_usable() {
        let (folder, system) = (environment(), tempfile::tempdir().unwrap());
        let (link, python) = (folder.path().join("bin/python"), system.path().join("python3.11"));
        script(&python, "echo 3.11.7");
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(&python, &link).unwrap();
        let time = python.metadata().unwrap().modified().unwrap();
        Stamp::new(folder.path(), None, answer()).write().unwrap();
        assert!(Stamp::of(folder.path()).is_some());
        let replace = |text: &str, time| {
            script(&python, text);
            fs::File::options().append(true).open(&python).unwrap().set_modified(time).unwrap();
        };
        let later = time + std::time::Duration::from_secs(60);
        replace("echo 3.11.8", later);
        assert_eq!(Stamp::of(folder.path()), None, "another time");
        replace("echo 3.11.15", time);
        assert_eq!(Stamp::of(folder.path()), None, "another size");
        replace("echo 3.11.7", time);
        assert!(Stamp::of(folder.path()).is_some());
    }

    #[test]
    fn a_stamp_of_an_earlier_build_is_read() {
        let folder = environment();
        let stamp = Stamp { python: None, ..Stamp::new(folder.path(), None, answer()) };
        stamp.write().unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains("modified"), "{text}");
        assert_eq!(Stamp::of(folder.path()), Some(stamp));
    }

    #[test]
    fn a_moved_environment_is_not_usable() {
        let (here, there) = (environment(), environment());
        Stamp::new(here.path(), None, answer()).write().unwrap();
        fs::copy(here.path().join(FILE), there.path().join(FILE)).unwrap();
        assert_eq!(Stamp::of(there.path()), None);
    }
}
