//! Readings of single processes and of the server's databases, taken less often than samples.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::units::ByteSize;

/// Readings of each process of the server, and of its databases.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Readings {
    /// Time of the sample with the memory of all processes.
    pub at: Timestamp,
    /// Readings of each process, without those that show their parent's memory before an exec.
    pub processes: Vec<ProcessReading>,
    /// Sizes of the server's databases by name, write-ahead logs included; empty where they are not
    /// on this machine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub databases: BTreeMap<String, ByteSize>,
}

/// Reading of one process. Its class is in the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessReading {
    /// Process ID.
    pub pid: u32,
    /// Start time, as in the process table.
    pub started: u64,
    /// RSS.
    pub rss: ByteSize,
    /// Anonymous part of the RSS, which is all but mapped files; `None` if it was not read. Read
    /// with the high-water mark, and so up to a second older than the RSS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<ByteSize>,
    /// Smallest RSS in a sample since the previous reading; `None` if it is that of the reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<ByteSize>,
    /// Largest RSS in a sample since the previous reading; `None` if it is that of the reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<ByteSize>,
    /// Number of threads.
    pub threads: u32,
    /// Number of open files; `None` for a process of another user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u32>,
}

impl ProcessReading {
    /// Process that was read.
    pub const fn identity(&self) -> ProcessIdentity {
        ProcessIdentity { pid: self.pid, started: self.started }
    }
}
