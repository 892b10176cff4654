//! Readings of executors: the request that an executor runs, and the memory that it has.
//!
//! An executor writes its output to the log of the request that it runs, and to the server's log
//! while it runs none. The file behind its file descriptor 1 thus names the request.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::units::{self, ByteSize};

/// Rise of a high-water mark that is within the error of its readings, in bytes. The profiler keeps
/// readings from half of it on, so that the report finds the one that reached a peak.
pub(crate) const PEAK_NOISE: u64 = 1 << 20;

/// Reading of one executor at which its request or its memory had changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExecutorReading {
    /// Time of the reading.
    pub at: Timestamp,
    /// Executor.
    pub process: ProcessIdentity,
    /// Request that the executor ran.
    pub output: Output,
    /// Memory at the reading.
    pub memory: ExecutorMemory,
    /// Memory at the reading before, in this file or not; `None` for the first reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ExecutorMemory>,
    /// Time of the last reading of the high-water mark before this one: a higher mark was reached
    /// between both. `None` for the first reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// CPU time of the executor since its start, with that of exited children, in seconds. Read
    /// when the request has changed only.
    #[serde(default, with = "units::seconds::option", skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Duration>,
    /// Whether readings before this one were left out, as in a profile of hours. Its requests are
    /// then in lines of [`EndedRequests`](super::EndedRequests).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub thinned: bool,
}

/// Memory of an executor at one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExecutorMemory {
    /// RSS.
    pub rss: ByteSize,
    /// High-water mark (`VmHWM`), as far as read: a lower bound between two readings of the mark.
    pub peak: ByteSize,
}

/// File behind an executor's file descriptor 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Output {
    /// Log of the request with this ID, which the executor runs.
    Request(String),
    /// File of any other kind: the executor runs no request.
    NoRequest,
    /// File that cannot be read, for this reason.
    Unread(UnreadOutput),
}

impl Output {
    /// ID of the request that the executor runs, if it is known to run one.
    pub fn request(&self) -> Option<&str> {
        match self {
            Self::Request(id) => Some(id),
            Self::NoRequest | Self::Unread(_) => None,
        }
    }
}

/// Reason why the request of an executor cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnreadOutput {
    /// File descriptors of another user's processes, which only root may read.
    NotPermitted,
    /// Operating system without file descriptors in `/proc`, or sampling that reads none.
    NotAvailable,
}

/// Whether a request ID is that of a daemon: a request of the server itself, which runs in an
/// executor for as long as the server. IDs of other requests are random.
pub fn is_daemon(request_id: &str) -> bool {
    request_id.ends_with("-daemon")
}
