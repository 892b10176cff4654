//! Limits that this machine puts on a run: control groups and open files.
//!
//! A container mostly sees the memory and the CPUs of its host, and is killed or slowed
//! down at limits of its own. They stand in files of control groups, of its own and of
//! every group above it, in one of two versions. Files are read below a root that tests
//! choose; what is read is parsed purely.

mod cpu;
mod files;
mod groups;
mod memory;
mod tasks;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cpu::{CpuQuota, Cpus};
pub use files::{OpenFiles, raise_open_files};
pub use memory::{MemoryGroups, MemoryLimit, Room};
pub use tasks::TaskLimit;

/// Limits that the processes of a run share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineLimits {
    /// The smallest memory limit of any control group; `None` where there is none.
    #[serde(default)]
    pub memory: Option<MemoryLimit>,
    /// The smallest CPU quota.
    #[serde(default)]
    pub cpu: Option<CpuQuota>,
    /// The smallest limit on processes and threads.
    #[serde(default)]
    pub tasks: Option<TaskLimit>,
    /// Open files that the shell allows a process; `None` where nobody could say.
    #[serde(default)]
    pub open_files: Option<OpenFiles>,
}

impl MachineLimits {
    /// A machine without limits.
    pub const NONE: Self = Self { memory: None, cpu: None, tasks: None, open_files: None };

    /// Limits of this process, which it passes on to all that it starts.
    pub fn here() -> Self {
        Self { open_files: OpenFiles::here(), ..Self::of_groups() }
    }

    /// Limits of this process's control groups alone.
    pub fn of_groups() -> Self {
        Self::below(Path::new("/"))
    }

    /// Limits of control groups as the files below `root` have them.
    pub fn below(root: &Path) -> Self {
        Self {
            memory: MemoryGroups::below(root, "self").limit(),
            cpu: CpuQuota::below(root),
            tasks: TaskLimit::below(root),
            open_files: None,
        }
    }

    /// Every limit in words, for people who read a report.
    pub fn in_words(&self) -> Vec<String> {
        let memory = self.memory.as_ref().map(ToString::to_string);
        let cpu = self.cpu.as_ref().map(ToString::to_string);
        let tasks = self.tasks.as_ref().map(ToString::to_string);
        let files = self.open_files.as_ref().map(ToString::to_string);
        [memory, cpu, tasks, files].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests;
