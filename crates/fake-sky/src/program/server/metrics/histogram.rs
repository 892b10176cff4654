//! Histogram with SkyPilot's buckets for durations.

use std::time::Duration;

/// Upper bounds of the finite buckets, in seconds (`_LATENCY_BUCKETS` of SkyPilot).
pub(super) const BOUNDS: [f64; 17] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
    1000.0,
];

/// Counts of durations.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Cumulative counts of the finite buckets.
    pub(super) buckets: [u64; BOUNDS.len()],
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl Histogram {
    pub(super) fn observe(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            *bucket += u64::from(seconds <= bound);
        }
        self.count += 1;
        self.sum += seconds;
    }
}
