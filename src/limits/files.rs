//! The limit on open files of a process.

use std::fmt;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Files and connections that a process may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OpenFiles {
    /// What it has (`ulimit -Sn`).
    pub soft: u64,
    /// Up to where it may raise that itself (`ulimit -Hn`).
    pub hard: u64,
}

impl OpenFiles {
    /// The limit of this process, which those that it starts inherit.
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

/// Raises the limit of this process to what it needs, or as far as it may. Returns the
/// limit that then holds; `None` where nobody could say.
///
/// No further than needed: what this process starts inherits it.
pub fn raise_open_files(needed: u64) -> Option<u64> {
    let OpenFiles { soft, hard } = OpenFiles::here()?;
    let wanted = needed.min(hard);
    if soft >= wanted {
        return Some(soft);
    }
    match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => Some(wanted),
        Err(_) => Some(soft),
    }
}
