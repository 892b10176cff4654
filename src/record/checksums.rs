//! What the files of a finished run were when it ended: `checksums.json`.
//!
//! A file that lost lines, was replaced or is gone is often one that could still be read.
//! A run that has a `request.json` has these sums, too, unless it broke off.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Document, RecordError, RunDir, Version, read_optional, write_json};
use crate::hash;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Checksums {
    /// Format of this file.
    version: Version<1>,
    /// The SHA-256 of each file, by its path within the directory.
    files: BTreeMap<String, String>,
}

impl Document for Checksums {
    const KIND: &'static str = "list of checksums";
    const VERSION: u32 = 1;
}

impl RunDir {
    /// What the files were when the run ended.
    pub fn checksums(&self) -> PathBuf {
        self.path().join("checksums.json")
    }

    /// Writes down what the files of the run are: nothing is added to them after this.
    pub fn write_checksums(&self) -> Result<(), RecordError> {
        let files = self.sums()?;
        write_json(&self.checksums(), &Checksums { version: Version, files })
    }

    /// Writes down anew what the two files of the profile are, once another was taken in;
    /// the sums of all others stay.
    pub fn renew_checksums_of_profile(&self) -> Result<(), RecordError> {
        let kept: Option<Checksums> = read_optional(&self.checksums())?;
        let Some(mut kept) = kept else { return Ok(()) };
        for path in [self.samples(), self.processes()] {
            let name = self.name_within(&path);
            match sum(&path)? {
                Some(sum) => _ = kept.files.insert(name, sum),
                None => _ = kept.files.remove(&name),
            }
        }
        write_json(&self.checksums(), &kept)
    }

    /// Says which files are not what they were when the run ended.
    pub(crate) fn changes(&self) -> Result<Vec<String>, RecordError> {
        let kept: Option<Checksums> = read_optional(&self.checksums())?;
        let Some(kept) = kept else {
            // Runs of before have no sums and no request.
            let broke_off = self.request().exists().then(|| {
                "the run broke off before its end: checksums.json, its last file, is missing"
                    .to_owned()
            });
            return Ok(Vec::from_iter(broke_off));
        };
        let found = self.sums()?;
        let mut changes = Vec::new();
        for (name, sum) in &kept.files {
            match found.get(name) {
                Some(found) if found == sum => {}
                Some(_) => changes.push(format!("{name} is not what the run left")),
                None => changes.push(format!("{name} is missing, which the run left")),
            }
        }
        let is_new = |name: &&String| !kept.files.contains_key(*name);
        let added = found.keys().filter(is_new);
        changes.extend(added.map(|name| format!("{name} is not one that the run left")));
        Ok(changes)
    }

    /// The sums of all files that a report is assembled from, of those that are there.
    fn sums(&self) -> Result<BTreeMap<String, String>, RecordError> {
        let mut paths = vec![
            self.request(),
            self.plan(),
            self.facts(),
            self.environment(),
            self.events(),
            self.samples(),
            self.processes(),
            self.resources(),
            self.nodes(),
        ];
        paths.extend(self.outcome_files()?);
        let mut sums = BTreeMap::new();
        for path in paths {
            if let Some(sum) = sum(&path)? {
                sums.insert(self.name_within(&path), sum);
            }
        }
        Ok(sums)
    }

    fn outcome_files(&self) -> Result<Vec<PathBuf>, RecordError> {
        let folder = self.outcomes();
        let io = |source| RecordError::Io { act: "list", path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io)?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(io)?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                files.push(path);
            }
        }
        Ok(files)
    }

    fn name_within(&self, path: &Path) -> String {
        path.strip_prefix(self.path()).unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// The sum of a file; `None` when it is not there.
fn sum(path: &Path) -> Result<Option<String>, RecordError> {
    let io = |source| RecordError::Io { act: "read", path: path.to_owned(), source };
    match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.and_then(hash::sha256_of).map(Some).map_err(io),
    }
}
