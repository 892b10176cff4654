//! Directory of a profile that belongs to no run.

use std::path::{Path, PathBuf};

use super::directory::{create_private, link_latest, open};
use super::{ProfileFiles, RecordError, RunDir};
use crate::ids::RunId;

/// Directory of a profile that belongs to no run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileDir {
    path: PathBuf,
}

impl ProfileDir {
    /// Creates the directory of a new profile, readable by its owner only, since command lines
    /// of processes may contain confidential data.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        create_private(path, "create the profile's directory")?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens the directory of an existing profile; `None` for a directory of a run or of
    /// anything else.
    pub fn open(path: &Path) -> Result<Option<Self>, RecordError> {
        let path = open(path, "open the profile's directory")?;
        let is_profile =
            ProfileFiles::in_directory(&path).samples.exists() && !RunDir::holds_run(&path);
        Ok(is_profile.then_some(Self { path }))
    }

    /// Points the link `latest` in the parent directory to the profile. Returns false, without
    /// a change, if `latest` is a file or link that skyload did not create.
    pub fn link_latest(&self) -> Result<bool, RecordError> {
        link_latest(&self.path)
    }

    /// ID of the profile, which is the directory's name.
    pub fn id(&self) -> RunId {
        RunId::of_directory(&self.path)
    }

    /// Path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Paths of the profile's two files.
    pub fn files(&self) -> ProfileFiles {
        ProfileFiles::in_directory(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_growing_profile_is_copied_up_to_its_last_complete_line() {
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"]
            .map(|name| ProfileDir::create(&folder.path().join(name)).unwrap().files());
        fs::write(&from.samples, "1\n2\n{\"kin").unwrap();
        to.replace_with(&from).unwrap();
        assert_eq!(fs::read_to_string(&to.samples).unwrap(), "1\n2\n");
        assert_eq!(to.table().unwrap(), None);
        fs::write(&to.processes, "{}").unwrap();
        to.replace_with(&from).unwrap();
        assert!(!to.processes.exists(), "the table belongs to the replaced profile");
        assert!(to.replace_with(&ProfileFiles::at(Path::new("/nowhere"))).is_err());
    }

    #[test]
    fn the_directory_of_a_run_is_no_profile_directory_although_it_has_a_profile() {
        let folder = tempfile::tempdir().unwrap();
        let profile = ProfileDir::create(&folder.path().join("profile")).unwrap();
        assert_eq!(ProfileDir::open(profile.path()).unwrap(), None, "the directory is empty");
        fs::write(profile.files().samples, "").unwrap();
        assert_eq!(ProfileDir::open(profile.path()).unwrap().unwrap().id(), profile.id());
        fs::write(profile.path().join("plan.json"), "{}").unwrap();
        assert_eq!(ProfileDir::open(profile.path()).unwrap(), None);
    }
}
