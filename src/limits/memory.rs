//! Memory limits of control groups, what is left below them, and whom they cost their
//! lives.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::groups::{Groups, Version, entry, number};
use crate::units::ByteSize;

/// Version 1 writes a number where version 2 writes `max`: whatever nobody can have.
const UNLIMITED: u64 = 1 << 60;

/// The memory limit of a control group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MemoryLimit {
    /// How much all processes of the group may have.
    pub limit: ByteSize,
    /// The file in which it stands.
    pub file: String,
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory limit {} ({})", self.limit, self.file)
    }
}

/// Memory that can still be had below a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The limit.
    pub limit: ByteSize,
    /// What is left of it: the cache of files that nobody has used lately counts as left,
    /// since the kernel gives it up first.
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

    /// Groups of another process, or of this one where the other's can't be seen.
    pub fn of(pid: u32) -> Self {
        let root = Path::new("/");
        match Self::below(root, &pid.to_string()) {
            Self(None) => Self::here(),
            found => found,
        }
    }

    /// Groups of process `pid`, or `self`, as the files below `root` have them.
    pub fn below(root: &Path, pid: &str) -> Self {
        Self(Groups::find(root, pid, "memory"))
    }

    /// The smallest limit.
    pub fn limit(&self) -> Option<MemoryLimit> {
        let (groups, limits) = (self.0.as_ref()?, self.limits());
        let (_, file, limit) = limits.into_iter().min_by_key(|(_, _, limit)| *limit)?;
        Some(MemoryLimit { limit, file: groups.name(&file) })
    }

    /// What is left below the limit that leaves the least.
    pub fn room(&self) -> Option<Room> {
        let version = self.0.as_ref()?.version;
        let rooms = self.limits().into_iter().map(|(folder, _, limit)| Room {
            limit,
            available: ByteSize(limit.as_u64().saturating_sub(used(version, &folder))),
        });
        rooms.min_by_key(|room| room.available)
    }

    /// Processes of the own group that the kernel has ended so far for want of memory;
    /// `None` where it doesn't count them.
    pub fn kills(&self) -> Option<u64> {
        let groups = self.0.as_ref()?;
        let file = match groups.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        entry(&groups.folders().first()?.join(file), "oom_kill")
    }

    /// Groups that have a limit, its file, and the limit.
    fn limits(&self) -> Vec<(PathBuf, PathBuf, ByteSize)> {
        let Some(groups) = &self.0 else { return Vec::new() };
        let names: &[&str] = match groups.version {
            Version::One => &["memory.limit_in_bytes"],
            // Above `high` the kernel slows the group down until it uses less.
            Version::Two => &["memory.max", "memory.high"],
        };
        let mut limits = Vec::new();
        for (depth, folder) in groups.folders().iter().enumerate() {
            // In version 1 a group may leave its children to themselves.
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

fn used(version: Version, folder: &Path) -> u64 {
    let (usage, unused) = match version {
        Version::One => ("memory.usage_in_bytes", "total_inactive_file"),
        Version::Two => ("memory.current", "inactive_file"),
    };
    let usage = number(&folder.join(usage)).unwrap_or(0);
    usage.saturating_sub(entry(&folder.join("memory.stat"), unused).unwrap_or(0))
}
