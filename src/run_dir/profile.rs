//! The files of a profile, and the directory of one that was made outside of a run.
//!
//! A run's profile and one of `cargo xtask profile` are the same two files under the
//! same names: whoever reads one can read the other.

use std::path::{Path, PathBuf};

use super::{RunDir, RunDirError, create_private, link_latest, open};
use crate::ids::RunId;

const SAMPLES: &str = "samples.jsonl";
const PROCESSES: &str = "processes.json";

/// Where the two files of a profile are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFiles {
    /// One `ProfileLine` a line.
    pub samples: PathBuf,
    /// One `ProcessTable`.
    pub processes: PathBuf,
}

impl ProfileFiles {
    /// Those in a directory.
    pub fn within(folder: &Path) -> Self {
        Self { samples: folder.join(SAMPLES), processes: folder.join(PROCESSES) }
    }
}

/// The directory of a profile that belongs to no run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileDir {
    path: PathBuf,
}

impl ProfileDir {
    /// Creates the directory of a new profile, readable by its owner alone: command
    /// lines in it may tell more than everybody should know.
    pub fn create(path: &Path) -> Result<Self, RunDirError> {
        create_private(path, "create the profile's directory")?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens the directory of an existing profile; `None` when it holds something else.
    pub fn open(path: &Path) -> Result<Option<Self>, RunDirError> {
        let path = open(path, "open the profile's directory")?;
        let is_profile = ProfileFiles::within(&path).samples.exists() && !RunDir::holds_run(&path);
        Ok(is_profile.then_some(Self { path }))
    }

    /// Makes `latest`, beside the directory, point to it.
    pub fn link_latest(&self) -> Result<(), RunDirError> {
        link_latest(&self.path)
    }

    /// The profile's id, which is the directory's name.
    pub fn id(&self) -> RunId {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        RunId::from_directory_name(&name)
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it.
    pub fn files(&self) -> ProfileFiles {
        ProfileFiles::within(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_runs_directory_is_no_profiles_although_it_holds_one() {
        let folder = tempfile::tempdir().unwrap();
        let profile = ProfileDir::create(&folder.path().join("profile")).unwrap();
        assert_eq!(ProfileDir::open(profile.path()).unwrap(), None, "it is empty");
        fs::write(profile.files().samples, "").unwrap();
        assert_eq!(ProfileDir::open(profile.path()).unwrap().unwrap().id(), profile.id());
        fs::write(profile.path().join("plan.json"), "{}").unwrap();
        assert_eq!(ProfileDir::open(profile.path()).unwrap(), None);
    }

    #[test]
    fn a_run_keeps_its_profile_under_the_same_names() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("run")).unwrap();
        let files = ProfileFiles::within(run.path());
        assert_eq!(run.profile(), files);
        assert_eq!((run.samples(), run.processes()), (files.samples, files.processes));
    }
}
