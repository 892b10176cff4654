//! Limit of control groups on the number of processes and threads.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::groups::{Groups, number};

/// Limit on the number of processes and threads in a control group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TaskLimit {
    /// Maximum number of processes and threads.
    pub tasks: u64,
    /// Path of the file that sets the limit.
    pub file: String,
}

impl TaskLimit {
    pub(super) fn below(root: &Path) -> Option<Self> {
        let groups = Groups::find(root, "self", "pids")?;
        let limits = groups.folders().iter().filter_map(|folder| {
            let file = folder.join("pids.max");
            // No number means no limit: the file has `max`, and the root group has no such file.
            Some(Self { tasks: number(&file)?, file: groups.name(&file) })
        });
        limits.min_by_key(|limit| limit.tasks)
    }
}

impl fmt::Display for TaskLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} processes and threads ({})", self.tasks, self.file)
    }
}
