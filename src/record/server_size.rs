//! Stated size of a server and how it was held to it: `server-size.json`, written by the
//! coordinator after the start of the server and again before its stop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Document, Version};
use crate::limits::{CpuLimit, GroupFigures};
use crate::machine_size::MachineSize;

/// Stated size of a server, content of `server-size.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SizeRecord {
    /// Format of the file.
    pub version: Version<1>,
    /// Size that SkyPilot sizes its workers by.
    pub size: MachineSize,
    /// Control group that holds the server to the size.
    pub group: HeldTo,
}

impl Document for SizeRecord {
    const KIND: &'static str = "server size";
    const VERSION: u32 = 1;
}

/// Whether, and by which control group, a server was held to its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum HeldTo {
    /// No control group, for this reason: SkyPilot was sized, and could use more.
    Nothing(String),
    /// Control group with a memory limit of the size, without swap.
    Group {
        /// Path of the group that limits memory.
        folder: String,
        /// Limit on CPU time.
        cpus: CpuLimit,
        /// Counts of the kernel; `None` if the run ended before they were read.
        figures: Option<GroupFigures>,
    },
}

impl HeldTo {
    /// Limits that hold a server to its size, in words.
    pub const fn limits(&self) -> &'static str {
        match self {
            Self::Nothing(_) => "none",
            Self::Group { cpus: CpuLimit::Cpus(_), .. } => "memory and CPUs",
            Self::Group { cpus: CpuLimit::None(_), .. } => "memory",
        }
    }

    /// Counts of the kernel for a server that was held to its size.
    pub const fn figures(&self) -> Option<&GroupFigures> {
        match self {
            Self::Group { figures, .. } => figures.as_ref(),
            Self::Nothing(_) => None,
        }
    }
}
