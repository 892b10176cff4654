//! Limit on open files per process (`RLIMIT_NOFILE`).

use std::fmt;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits on the files and connections that a process may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OpenFiles {
    /// Soft limit, the one in force (`ulimit -Sn`).
    pub soft: u64,
    /// Hard limit, up to which a process may raise its soft limit (`ulimit -Hn`).
    pub hard: u64,
}

impl OpenFiles {
    /// Limits of this process, inherited by its children; `None` if getrlimit(2) fails.
    pub fn here() -> Option<Self> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
        Some(Self { soft, hard })
    }
}

impl fmt::Display for OpenFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} open files in each process (ulimit -n)", self.soft)
    }
}

/// Raises the soft limit of this process to `needed`, or to the hard limit if that is
/// lower. Returns the limit now in force; `None` if getrlimit(2) fails.
pub fn raise_open_files(needed: u64) -> Option<u64> {
    let OpenFiles { soft, hard } = OpenFiles::here()?;
    // No higher than needed, since children inherit the limit.
    let wanted = needed.min(hard);
    if soft >= wanted {
        return Some(soft);
    }
    match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => Some(wanted),
        Err(_) => Some(soft),
    }
}
