//! Progress of a scenario that runs: `progress/*.json`, written every second for a live page.
//!
//! The reader is of the same build as the writer, so that the file has no version.

use serde::{Deserialize, Serialize};

use super::WindowLatency;
use crate::clock::Timestamp;

/// Progress of a scenario that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScenarioProgress {
    /// Time of writing.
    pub at: Timestamp,
    /// Number of iterations that started.
    pub started: u64,
    /// Number of iterations that ended, failed ones included.
    pub ended: u64,
    /// Number of iterations that failed.
    pub failed: u64,
    /// Number of arrivals without a start.
    pub dropped: u64,
    /// Number of active iterations.
    pub active: u64,
    /// Latencies of the iterations that ended since the progress before; `None` if none did.
    pub latency: Option<WindowLatency>,
}
