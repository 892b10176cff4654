//! The files of a profile, and the directory of one that was made outside of a run.
//!
//! A run's profile and one of `cargo xtask profile` are the same two files under the
//! same names: whoever reads one can read the other.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use super::run_dir::{create_private, link_latest, open};
use super::{RecordError, RunDir, read_optional, write_json};
use crate::ids::RunId;
use crate::record::profile::{ProcessTable, ProfileHeader, ProfileLine};

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

    /// Those that a path names: a profile's directory, or its samples.
    pub fn named(path: &Path) -> Self {
        if path.is_dir() {
            return Self::within(path);
        }
        Self { samples: path.to_owned(), processes: path.with_file_name(PROCESSES) }
    }

    /// Reads the first line, which says what was profiled.
    pub fn header(&self) -> Result<ProfileHeader, RecordError> {
        let path = &self.samples;
        let io = |source| RecordError::Io { act: "read", path: path.clone(), source };
        let mut line = String::new();
        BufReader::new(File::open(path).map_err(io)?).read_line(&mut line).map_err(io)?;
        let format = |source| RecordError::Format { path: path.clone(), what: "profile", source };
        match serde_json::from_str(&line).map_err(format)? {
            ProfileLine::Header(header) => Ok(header),
            _ => Err(format(serde::de::Error::custom("it does not begin with a header"))),
        }
    }

    /// Reads the processes as they were last written down, if they were.
    pub fn table(&self) -> Result<Option<ProcessTable>, RecordError> {
        read_optional(&self.processes, "process table")
    }

    /// Takes the place of these files with what `other` holds now. That one may still
    /// be growing: it is taken up to its last whole line.
    pub fn replace_by(&self, other: &Self) -> Result<(), RecordError> {
        let io = |act, path: &Path| {
            let path = path.to_owned();
            move |source| RecordError::Io { act, path, source }
        };
        let mut text = fs::read(&other.samples).map_err(io("read", &other.samples))?;
        // After the samples, so that it is not older than the last of them.
        let table = other.table()?;
        text.truncate(text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1));
        let folder = self.samples.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io("write into", folder))?;
        file.write_all(&text).map_err(io("write", &self.samples))?;
        file.persist(&self.samples).map_err(|error| io("write", &self.samples)(error.error))?;
        match table {
            Some(table) => write_json(&self.processes, &table),
            // What is there is of another profile.
            None if self.processes.exists() => {
                fs::remove_file(&self.processes).map_err(io("remove", &self.processes))
            }
            None => Ok(()),
        }
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
    fn a_profile_is_named_by_its_directory_or_by_its_samples() {
        let folder = tempfile::tempdir().unwrap();
        let within = ProfileFiles::within(folder.path());
        assert_eq!(ProfileFiles::named(folder.path()), within);
        assert_eq!(ProfileFiles::named(&within.samples), within);
        for content in ["", "{}\n", "{\"kind\":\"footer\",\"at\":1}\n"] {
            fs::write(&within.samples, content).unwrap();
            assert!(within.header().is_err(), "{content:?} is no profile");
        }
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

    #[test]
    fn a_run_keeps_its_profile_under_the_same_names() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("run")).unwrap();
        let files = ProfileFiles::within(run.path());
        assert_eq!(run.profile(), files);
        assert_eq!((run.samples(), run.processes()), (files.samples, files.processes));
    }
}
