//! What can go wrong with the files of a run.

use std::io;
use std::path::PathBuf;

use super::FORMAT_VERSION;

/// What can go wrong with the files of a run.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file system refused.
    #[error("cannot {act} `{path}`")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{path}` is not a {what} of format {FORMAT_VERSION}, which this build reads")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// The parser's reason.
        source: serde_json::Error,
    },
}

impl RecordError {
    /// Whether the file or directory simply is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}
