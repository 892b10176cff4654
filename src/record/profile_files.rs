//! The two files of a profile, under the same names in a run and outside of one: whoever
//! reads one can read the other.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::de::Error as _;

use super::profile::{ProcessTable, ProfileHeader, ProfileLine};
use super::{Log as _, RecordError, read_first, read_optional, write_json};

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
        match read_first(&self.samples)? {
            ProfileLine::Header(header) => Ok(header),
            _ => Err(RecordError::Format {
                path: self.samples.clone(),
                what: ProfileLine::KIND,
                source: serde_json::Error::custom("it does not begin with a header"),
            }),
        }
    }

    /// Reads the processes as they were last written down, if they were.
    pub fn table(&self) -> Result<Option<ProcessTable>, RecordError> {
        read_optional(&self.processes)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RunDir;

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
    fn a_run_keeps_its_profile_under_the_same_names() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("run")).unwrap();
        let files = ProfileFiles::within(run.path());
        assert_eq!(run.profile(), files);
        assert_eq!((run.samples(), run.processes()), (files.samples, files.processes));
    }
}
