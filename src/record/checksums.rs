//! Checksums of a finished run's files: `checksums.json`.
//!
//! They detect files that lost lines, were replaced or were deleted, which parsing alone often
//! does not. A run with a `request.json` also has checksums, unless it ended early: builds that
//! wrote no checksums wrote no `request.json` either.

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
    /// Format of the file.
    version: Version<1>,
    /// SHA-256 of each file, by path relative to the run's directory.
    files: BTreeMap<String, String>,
}

impl Document for Checksums {
    const KIND: &'static str = "checksum list";
    const VERSION: u32 = 1;
}

impl RunDir {
    /// Path of the checksums of the run's files.
    pub fn checksums(&self) -> PathBuf {
        self.path().join("checksums.json")
    }

    /// Writes the checksums of the run's files. The files must be complete by now.
    pub fn write_checksums(&self) -> Result<(), RecordError> {
        let files = self.compute_checksums()?;
        write_json(&self.checksums(), &Checksums { version: Version, files })
    }

    /// Updates the checksums of the profile's two files, after another profile has replaced
    /// them. All other checksums stay.
    pub fn update_profile_checksums(&self) -> Result<(), RecordError> {
        let recorded: Option<Checksums> = read_optional(&self.checksums())?;
        let Some(mut recorded) = recorded else { return Ok(()) };
        for path in [self.samples(), self.processes()] {
            let name = self.name_within(&path);
            match checksum(&path)? {
                Some(sum) => _ = recorded.files.insert(name, sum),
                None => _ = recorded.files.remove(&name),
            }
        }
        write_json(&self.checksums(), &recorded)
    }

    /// Messages about files that were changed, removed or added after the end of the run.
    pub(crate) fn changes(&self) -> Result<Vec<String>, RecordError> {
        let recorded: Option<Checksums> = read_optional(&self.checksums())?;
        let Some(recorded) = recorded else {
            // Runs of builds that wrote no checksums have no `request.json` either.
            let ended_early = self.request().exists().then(|| {
                "the run ended early: checksums.json, the last file of a run, is missing".to_owned()
            });
            return Ok(Vec::from_iter(ended_early));
        };
        let found = self.compute_checksums()?;
        let mut changes = Vec::new();
        for (name, sum) in &recorded.files {
            match found.get(name) {
                Some(found) if found == sum => {}
                Some(_) => changes.push(format!("{name} was changed after the run ended")),
                None => changes.push(format!("{name} was removed after the run ended")),
            }
        }
        // Earlier builds recorded no checksums of these.
        let unlisted = [self.server_requests(), self.server_size()];
        let unlisted = unlisted.map(|path| self.name_within(&path));
        let is_new =
            |name: &&String| !recorded.files.contains_key(*name) && !unlisted.contains(*name);
        let added = found.keys().filter(is_new);
        changes.extend(added.map(|name| format!("{name} was added after the run ended")));
        Ok(changes)
    }

    /// Checksums of all existing files that a report is assembled from.
    fn compute_checksums(&self) -> Result<BTreeMap<String, String>, RecordError> {
        // Reports are left out: `cargo xtask report` writes them anew.
        let mut paths = vec![
            self.request(),
            self.plan(),
            self.facts(),
            self.environment(),
            self.events(),
            self.samples(),
            self.processes(),
            self.server_metrics(),
            self.server_requests(),
            self.server_size(),
            self.resources(),
            self.nodes(),
        ];
        paths.extend(self.outcome_files()?);
        let mut sums = BTreeMap::new();
        for path in paths {
            if let Some(sum) = checksum(&path)? {
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
            // A killed process may leave the temporary file of `write_with`, which has no
            // extension.
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

/// Checksum of a file; `None` if the file does not exist.
fn checksum(path: &Path) -> Result<Option<String>, RecordError> {
    let io = |source| RecordError::Io { act: "read", path: path.to_owned(), source };
    match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.and_then(hash::sha256_of).map(Some).map_err(io),
    }
}
