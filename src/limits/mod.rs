//! Resource limits on a run: control groups (cgroups, versions 1 and 2) and open files.
//!
//! Inside a container, `/proc` mostly shows the memory and CPUs of the host, while the
//! limits of its control groups apply: those of its own group and of every group above.
//! Files are read below a root folder, which tests replace. [`ServerGroup`] sets limits: on a server
//! of a stated size.

mod cpu;
mod files;
mod groups;
mod memory;
pub mod server_group;
mod tasks;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cpu::{CpuQuota, Cpus};
pub use files::{OpenFiles, raise_open_files};
pub use memory::{AvailableMemory, MemoryGroups, MemoryLimit};
pub use server_group::{
    CpuLimit, GroupFigures, NotGranted, OomCounts, OomKills, OomReadings, Place, ServerGroup,
};
pub use tasks::TaskLimit;

/// Limits that the processes of a run share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineLimits {
    /// Smallest memory limit of any control group; `None` if there is none.
    #[serde(default)]
    pub memory: Option<MemoryLimit>,
    /// Smallest CPU quota of any control group; `None` if there is none.
    #[serde(default)]
    pub cpu: Option<CpuQuota>,
    /// Smallest limit of any control group on processes and threads; `None` if there is none.
    #[serde(default)]
    pub tasks: Option<TaskLimit>,
    /// Limits on open files per process, inherited from the shell; `None` if unknown.
    #[serde(default)]
    pub open_files: Option<OpenFiles>,
}

impl MachineLimits {
    /// Limits of a machine that has none.
    pub const NONE: Self = Self { memory: None, cpu: None, tasks: None, open_files: None };

    /// Limits of this process, inherited by its children.
    pub fn here() -> Self {
        Self { open_files: OpenFiles::here(), ..Self::of_groups() }
    }

    /// Limits of this process's control groups, without open files.
    pub fn of_groups() -> Self {
        Self::below(Path::new("/"))
    }

    /// Limits of control groups, from files below `root`.
    pub fn below(root: &Path) -> Self {
        Self {
            memory: MemoryGroups::below(root, "self").limit(),
            cpu: CpuQuota::below(root),
            tasks: TaskLimit::below(root),
            open_files: None,
        }
    }

    /// Descriptions of all limits, for reports.
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
