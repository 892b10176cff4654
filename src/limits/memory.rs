//! Memory limits of control groups: limit, available memory, OOM kills.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::groups::{Groups, Version, entry, number};
use crate::units::ByteSize;

/// Threshold in bytes from which a limit counts as none. Version 2 has `max` for "no limit";
/// version 1 has the largest multiple of the page size, just below 2^63.
const UNLIMITED: u64 = 1 << 60;

/// Memory limit of a control group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MemoryLimit {
    /// Limit in bytes, for all processes of the group together.
    pub limit: ByteSize,
    /// Path of the file that sets the limit.
    pub file: String,
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory limit {} ({})", self.limit, self.file)
    }
}

/// Memory available below a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvailableMemory {
    /// Limit in bytes.
    pub limit: ByteSize,
    /// Available memory in bytes. Inactive page cache counts as available, since the kernel
    /// reclaims it first.
    pub available: ByteSize,
}

/// Control groups whose memory limits apply to a process.
#[derive(Clone, Debug)]
pub struct MemoryGroups(Option<Groups>);

impl MemoryGroups {
    /// Groups of this process.
    pub fn here() -> Self {
        Self::below(Path::new("/"), "self")
    }

    /// Groups of another process; those of this process if the other's cannot be read.
    pub fn of(pid: u32) -> Self {
        let root = Path::new("/");
        match Self::below(root, &pid.to_string()) {
            Self(None) => Self::here(),
            found => found,
        }
    }

    /// Groups of process `pid` (or `self`), from files below `root`.
    pub fn below(root: &Path, pid: &str) -> Self {
        Self(Groups::find(root, pid, "memory"))
    }

    /// Smallest limit of all groups.
    pub fn limit(&self) -> Option<MemoryLimit> {
        let (groups, limits) = (self.0.as_ref()?, self.limits());
        let (_, file, limit) = limits.into_iter().min_by_key(|(_, _, limit)| *limit)?;
        Some(MemoryLimit { limit, file: groups.name(&file) })
    }

    /// Available memory below the limit that leaves the least; not necessarily the smallest
    /// limit, since other processes use memory of outer groups.
    pub fn available(&self) -> Option<AvailableMemory> {
        let version = self.0.as_ref()?.version;
        let available = self.limits().into_iter().map(|(folder, _, limit)| AvailableMemory {
            limit,
            available: ByteSize(limit.as_u64().saturating_sub(used(version, &folder))),
        });
        available.min_by_key(|memory| memory.available)
    }

    /// Number of OOM kills in the process's own group so far; `None` if the kernel does not
    /// count them.
    pub fn oom_kills(&self) -> Option<u64> {
        let groups = self.0.as_ref()?;
        let file = match groups.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        entry(&groups.folders().first()?.join(file), "oom_kill")
    }

    /// Limits of all groups, each with the folder of its group and its file.
    fn limits(&self) -> Vec<(PathBuf, PathBuf, ByteSize)> {
        let Some(groups) = &self.0 else { return Vec::new() };
        let names: &[&str] = match groups.version {
            Version::V1 => &["memory.limit_in_bytes"],
            // Above `memory.high` the kernel does not kill, but throttles the group heavily.
            Version::V2 => &["memory.max", "memory.high"],
        };
        let mut limits = Vec::new();
        for (depth, folder) in groups.folders().iter().enumerate() {
            // In version 1, limits of a group without `use_hierarchy` do not apply to child
            // groups.
            if depth > 0 && number(&folder.join("memory.use_hierarchy")) == Some(0) {
                break;
            }
            for file in names.iter().map(|name| folder.join(name)) {
                let limit = number(&file).filter(|limit| *limit < UNLIMITED);
                limits.extend(limit.map(|limit| (folder.clone(), file, ByteSize(limit))));
            }
        }
        limits
    }
}

/// Memory use of a group in bytes, without inactive page cache.
fn used(version: Version, folder: &Path) -> u64 {
    let (usage, inactive) = match version {
        // Without `total_`, an entry of version 1 leaves out child groups, which the usage
        // includes.
        Version::V1 => ("memory.usage_in_bytes", "total_inactive_file"),
        Version::V2 => ("memory.current", "inactive_file"),
    };
    let usage = number(&folder.join(usage)).unwrap_or(0);
    // The two files are read one after the other, so the page cache may exceed the usage.
    usage.saturating_sub(entry(&folder.join("memory.stat"), inactive).unwrap_or(0))
}
