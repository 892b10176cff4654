//! SkyPilot installation that nodes are prepared for.

use std::path::PathBuf;

/// Installed SkyPilot.
#[derive(Clone, Debug)]
pub struct SkyPilot {
    /// Absolute path of the `sky` program.
    pub program: PathBuf,
    /// Python that runs the program; `None` if the program is not a Python script.
    pub python: Option<PathBuf>,
    /// Version of SkyPilot.
    pub version: String,
    /// Commit that SkyPilot was built from; `None` if not recorded.
    pub commit: Option<String>,
    /// Date that dependencies were resolved as of, in RFC 3339; `None` if not limited.
    pub resolved_as_of: Option<String>,
}
