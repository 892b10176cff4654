//! Times of a thinned profile, which a reader of its files depends on.

use std::time::Duration;

/// Time from the first sample in which every sample is written, and every reading of an executor.
pub const UNTHINNED: Duration = Duration::from_secs(30 * 60);

/// Time whose samples and readings are thinned together: they are written at its end, and are lost
/// if the profiler is killed.
pub const THINNED_TOGETHER: Duration = Duration::from_secs(60);

/// Longest time between two written samples without a gap in the sampling.
pub const SPACING: Duration = Duration::from_secs(1);
