//! The directory of a profile that was made outside of a run.

use std::path::{Path, PathBuf};

use super::directory::{create_private, link_latest, open};
use super::{ProfileFiles, RecordError, RunDir};
use crate::ids::RunId;

/// The directory of a profile that belongs to no run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileDir {
    path: PathBuf,
}

impl ProfileDir {
    /// Creates the directory of a new profile, readable by its owner alone: command
    /// lines in it may tell more than everybody should know.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        create_private(path, "create the profile's directory")?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens the directory of an existing profile; `None` when it holds something else.
    pub fn open(path: &Path) -> Result<Option<Self>, RecordError> {
        let path = open(path, "open the profile's directory")?;
        let is_profile = ProfileFiles::within(&path).samples.exists() && !RunDir::holds_run(&path);
        Ok(is_profile.then_some(Self { path }))
    }

    /// Makes `latest`, beside the directory, point to it, as for a run.
    pub fn link_latest(&self) -> Result<bool, RecordError> {
        link_latest(&self.path)
    }

    /// The profile's id, which is the directory's name.
    pub fn id(&self) -> RunId {
        RunId::of_directory(&self.path)
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
    fn a_profile_that_still_grows_is_taken_up_to_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"]
            .map(|name| ProfileDir::create(&folder.path().join(name)).unwrap().files());
        fs::write(&from.samples, "1\n2\n{\"kin").unwrap();
        to.replace_by(&from).unwrap();
        assert_eq!(fs::read_to_string(&to.samples).unwrap(), "1\n2\n");
        assert_eq!(to.table().unwrap(), None);
        fs::write(&to.processes, "{}").unwrap();
        to.replace_by(&from).unwrap();
        assert!(!to.processes.exists(), "it is of another profile");
        assert!(to.replace_by(&ProfileFiles::named(Path::new("/nowhere"))).is_err());
    }

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
}
