//! The SkyPilot that an infrastructure is for, as far as nodes must know it.

use std::path::PathBuf;

/// A SkyPilot that is installed.
#[derive(Clone, Debug)]
pub struct SkyPilot {
    /// The `sky` program, by its absolute path.
    pub program: PathBuf,
    /// The Python that it runs under; `None` for a program that isn't a script.
    pub python: Option<PathBuf>,
    /// Its version.
    pub version: String,
    /// The commit that it was made from, where it says so.
    pub commit: Option<String>,
    /// As of when its dependencies were resolved, in RFC 3339; `None` for "without a limit".
    pub resolved_as_of: Option<String>,
}
