//! Activity of a scenario over time: counts and latencies in windows of equal length.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::units;

/// Activity of a scenario, in windows of equal length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Activity {
    /// Length of a window, in seconds. Windows begin at multiples of the length since 1970.
    #[serde(with = "units::seconds")]
    pub window: Duration,
    /// Windows in which anything happened, in order of time.
    pub windows: Vec<ActivityWindow>,
}

/// Activity of a scenario in one window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ActivityWindow {
    /// Start of the window.
    pub at: Timestamp,
    /// Number of iterations that started.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub started: u64,
    /// Number of iterations that ended, failed ones included.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ended: u64,
    /// Number of iterations that failed: among those that ended, and at the scenario's time limit
    /// also those that had not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
    /// Number of arrivals without a start, since as many iterations were active as may be.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
    /// Latencies of the iterations that ended; `None` if no latency was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<WindowLatency>,
}

/// Latencies of the iterations that ended in a window, from their scheduled starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WindowLatency {
    /// Median, in seconds.
    #[serde(with = "units::seconds")]
    pub p50: Duration,
    /// 95th percentile, in seconds.
    #[serde(with = "units::seconds")]
    pub p95: Duration,
    /// Maximum, in seconds.
    #[serde(with = "units::seconds")]
    pub max: Duration,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
