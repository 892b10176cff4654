//! Errors of reading and writing the files of runs and profiles.

use std::io;
use std::path::PathBuf;

use super::format::Readable;

/// Error of reading or writing a file of a run or a profile.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Error of the file system.
    #[error("cannot {act} `{path}`")]
    Io {
        /// Operation, such as `read`.
        act: &'static str,
        /// Path of the file or directory.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// File whose content cannot be parsed.
    #[error("`{path}` is not a valid {what}")]
    Format {
        /// Path of the file.
        path: PathBuf,
        /// Expected kind of file.
        what: &'static str,
        /// Error of the parser.
        source: serde_json::Error,
    },
    /// File of a version that this build does not support.
    #[error("`{path}`: expected {what} {readable}, found version {found}")]
    Version {
        /// Path of the file.
        path: PathBuf,
        /// Kind of file.
        what: &'static str,
        /// Version of the file.
        found: u32,
        /// Versions that this build supports.
        readable: Readable,
    },
}

impl RecordError {
    /// Whether the file or directory does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Message of the error with its cause, in one line.
    pub fn in_one_line(&self) -> String {
        match std::error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }

    /// Version of a file that this build does not support; `None` for any other error.
    pub const fn unsupported_version(&self) -> Option<u32> {
        match self {
            Self::Version { found, .. } => Some(*found),
            Self::Io { .. } | Self::Format { .. } => None,
        }
    }
}
