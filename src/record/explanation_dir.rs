//! Directory of an explanation, with the paths of its files.

use std::path::{Path, PathBuf};

use super::RecordError;
use super::directory::create_private;

/// Directory of one explanation of a run's peaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplanationDir {
    path: PathBuf,
}

impl ExplanationDir {
    /// Creates the directory of a new explanation, readable by its owner only.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        create_private(path, "create the explanation's directory")?;
        Ok(Self { path: path.to_owned() })
    }

    /// Path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the explanation: one `Explanation`.
    pub fn json(&self) -> PathBuf {
        self.path.join("explanation.json")
    }

    /// Path of the text.
    pub fn text(&self) -> PathBuf {
        self.path.join("explanation.txt")
    }

    /// Parent of the directories of the servers whose executors were traced.
    pub fn servers(&self) -> PathBuf {
        self.path.join("servers")
    }
}
