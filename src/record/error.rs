//! What can go wrong with the files of a run.

use std::io;
use std::path::PathBuf;

use super::format::Readable;

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
    #[error("`{path}` is not a {what} that this build reads")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// A file is of a version that this build does not read.
    #[error("`{path}` has version {found} of a {what}, and this build reads {readable}")]
    Version {
        /// Which file.
        path: PathBuf,
        /// What it holds.
        what: &'static str,
        /// Its version.
        found: u32,
        /// Versions that are read.
        readable: Readable,
    },
}

impl RecordError {
    /// Whether the file or directory simply is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// The error with its reason, in one line.
    pub fn in_one_line(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }

    /// Version of a file that this build does not read.
    pub const fn other_version(&self) -> Option<u32> {
        match self {
            Self::Version { found, .. } => Some(*found),
            Self::Io { .. } | Self::Format { .. } => None,
        }
    }
}
