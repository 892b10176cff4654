//! Directory of a comparison, with the paths of its files.

use std::path::{Path, PathBuf};

use super::RecordError;
use super::directory::{create_private, link_latest, open};

/// Directory of one comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparisonDir {
    path: PathBuf,
}

impl ComparisonDir {
    /// Name of the record of a comparison that made its own runs.
    pub const AB: &'static str = "ab.json";

    /// Creates the directory of a new comparison, readable by its owner only, as the runs are that
    /// it quotes.
    pub fn create(path: &Path) -> Result<Self, RecordError> {
        create_private(path, "create the comparison's directory")?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens the directory of an existing comparison.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        Ok(Self { path: open(path, "open the comparison's directory")? })
    }

    /// Points the link `latest` in the parent directory to the comparison. Returns false, without
    /// a change, if `latest` is a file or link that skyload did not create.
    pub fn link_latest(&self) -> Result<bool, RecordError> {
        link_latest(&self.path)
    }

    /// Path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Path of the record of a comparison that made its own runs: one `AbRecord`.
    pub fn ab(&self) -> PathBuf {
        self.path.join(Self::AB)
    }

    /// Path of the comparison: one `Comparison`.
    pub fn json(&self) -> PathBuf {
        self.path.join("compare.json")
    }

    /// Path of the Markdown, for a pull request.
    pub fn markdown(&self) -> PathBuf {
        self.path.join("compare.md")
    }

    /// Path of the HTML page.
    pub fn html(&self) -> PathBuf {
        self.path.join("compare.html")
    }
}
