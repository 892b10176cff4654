//! Files of SkyPilot's client in the user's home directory, each with a variable that names another.

use std::path::PathBuf;

use crate::env;

/// Error of reading a file of the client. No message contains any part of a secret.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {what} in `{path}`: {reason}")]
pub struct ClientFileError {
    /// Content of the file, as a phrase.
    pub(super) what: &'static str,
    /// Path of the file.
    pub(super) path: PathBuf,
    /// Reason without any part of the content.
    pub(super) reason: String,
}

/// Path of a file: the value of `variable`, in which `~` is the home directory, or else `default`
/// below the home directory; `None` without a home directory.
pub(super) fn path(variable: &str, default: &str) -> Option<PathBuf> {
    let home = || env::path("HOME");
    match env::path(variable) {
        None => Some(home()?.join(default)),
        Some(path) => match path.strip_prefix("~") {
            Ok(below) => Some(home()?.join(below)),
            Err(_) => Some(path),
        },
    }
}
