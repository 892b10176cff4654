//! Files of a profile, which have the same names in a run's directory and in a profile's.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::de::Error as _;

use super::profile::{ProcessTable, ProfileHeader, ProfileLine};
use super::{Log as _, RecordError, read_first, read_optional, write_json};

const SAMPLES: &str = "samples.jsonl";
const PROCESSES: &str = "processes.json";

/// Paths of the two files of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFiles {
    /// Path of the samples: one `ProfileLine` per line.
    pub samples: PathBuf,
    /// Path of the process table: one `ProcessTable`.
    pub processes: PathBuf,
}

impl ProfileFiles {
    /// Paths of the files in a directory.
    pub fn in_directory(folder: &Path) -> Self {
        Self { samples: folder.join(SAMPLES), processes: folder.join(PROCESSES) }
    }

    /// Paths of the files of a profile that is given by its directory or by its samples.
    pub fn at(path: &Path) -> Self {
        if path.is_dir() {
            return Self::in_directory(path);
        }
        Self { samples: path.to_owned(), processes: path.with_file_name(PROCESSES) }
    }

    /// Reads the header, the first line of the samples.
    pub fn header(&self) -> Result<ProfileHeader, RecordError> {
        match read_first(&self.samples)? {
            ProfileLine::Header(header) => Ok(header),
            _ => Err(RecordError::Format {
                path: self.samples.clone(),
                what: ProfileLine::KIND,
                source: serde_json::Error::custom("first line is not a header"),
            }),
        }
    }

    /// Reads the process table; `None` if there is none yet.
    pub fn table(&self) -> Result<Option<ProcessTable>, RecordError> {
        read_optional(&self.processes)
    }

    /// Replaces these files by the current content of `other`. Its samples may still grow, so
    /// they are copied up to the last complete line.
    pub fn replace_with(&self, other: &Self) -> Result<(), RecordError> {
        let io = |act, path: &Path| {
            let path = path.to_owned();
            move |source| RecordError::Io { act, path, source }
        };
        let mut text = fs::read(&other.samples).map_err(io("read", &other.samples))?;
        // Read after the samples, so that the table is not older than the last sample.
        let table = other.table()?;
        text.truncate(text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1));
        let folder = self.samples.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io("write into", folder))?;
        file.write_all(&text).map_err(io("write", &self.samples))?;
        file.persist(&self.samples).map_err(|error| io("write", &self.samples)(error.error))?;
        match table {
            Some(table) => write_json(&self.processes, &table),
            // The existing table belongs to the profile that is replaced.
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
    fn a_profile_is_given_by_its_directory_or_by_its_samples() {
        let folder = tempfile::tempdir().unwrap();
        let files = ProfileFiles::in_directory(folder.path());
        assert_eq!(ProfileFiles::at(folder.path()), files);
        assert_eq!(ProfileFiles::at(&files.samples), files);
        for content in ["", "{}\n", "{\"kind\":\"footer\",\"at\":1}\n"] {
            fs::write(&files.samples, content).unwrap();
            assert!(files.header().is_err(), "{content:?} is no profile");
        }
    }

    #[test]
    fn a_runs_profile_has_the_same_file_names() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("run")).unwrap();
        let files = ProfileFiles::in_directory(run.path());
        assert_eq!(run.profile(), files);
        assert_eq!((run.samples(), run.processes()), (files.samples, files.processes));
    }
}
