//! Directory of a bisection, with the paths of its files.

use std::path::{Path, PathBuf};

use super::RecordError;
use super::directory::{create_private, link_latest, open};

/// Directory of one bisection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BisectionDir {
    path: PathBuf,
}

impl BisectionDir {
    /// Creates the directory of a new bisection, readable by its owner only.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        create_private(path, "create the bisection's directory")?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens the directory of an existing bisection.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        Ok(Self { path: open(path, "open the bisection's directory")? })
    }

    /// Points the link `latest` in the parent directory to the bisection. Returns false, without a
    /// change, if `latest` is a file or link that skyload did not create.
    pub fn link_latest(&self) -> Result<bool, RecordError> {
        link_latest(&self.path)
    }

    /// Path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the bisection: one `Bisection`.
    pub fn json(&self) -> PathBuf {
        self.path.join("bisect.json")
    }

    /// Path of the Markdown.
    pub fn markdown(&self) -> PathBuf {
        self.path.join("bisect.md")
    }

    /// Parent of the directories of the comparisons, one for each version.
    pub fn comparisons(&self) -> PathBuf {
        self.path.join("comparisons")
    }
}
