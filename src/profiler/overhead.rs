//! Overhead of measuring: the profiler's own CPU time and memory, and gaps between samples.

use std::time::{Duration, Instant};

use super::schedule::Schedule;
use crate::record::profile::ProfilerOverhead;
use crate::units::ByteSize;
use crate::usage::Usage;

/// Counter of samples and of the gaps between them.
#[derive(Debug, Default)]
pub(super) struct Overhead {
    samples: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    longest_gap: Duration,
}

impl Overhead {
    /// Counts a sample that starts at `now`.
    pub(super) fn sample_started(&mut self, now: Instant) {
        self.samples += 1;
        self.first.get_or_insert(now);
        if let Some(last) = self.last.replace(now) {
            self.longest_gap = self.longest_gap.max(now.duration_since(last));
        }
    }

    /// Overhead so far; `schedule` has the missed samples.
    pub(super) fn report(&self, schedule: &Schedule) -> ProfilerOverhead {
        ProfilerOverhead {
            samples: self.samples,
            missed_samples: schedule.missed(),
            rate_hz: self.rate(),
            cpu: Usage::own().cpu,
            peak: own_peak(),
            longest_gap: self.longest_gap,
        }
    }

    /// Samples per second between the first and the last sample.
    #[expect(clippy::cast_precision_loss, reason = "a count of samples is far below 2^52")]
    fn rate(&self) -> f64 {
        let (Some(first), Some(last)) = (self.first, self.last) else { return 0.0 };
        let seconds = last.duration_since(first).as_secs_f64();
        // N samples have N - 1 intervals. `first` is set, so there is at least one sample.
        if seconds > 0.0 { (self.samples - 1) as f64 / seconds } else { 0.0 }
    }
}

/// Peak resident memory of the profiler (`VmHWM`). `ru_maxrss` survives an exec, so it
/// would be at least the peak of the process that started the profiler.
#[cfg(target_os = "linux")]
fn own_peak() -> ByteSize {
    ByteSize(super::procfs::own_peak().unwrap_or(0))
}

#[cfg(not(target_os = "linux"))]
fn own_peak() -> ByteSize {
    Usage::own().peak
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_counts_intervals_and_not_samples() {
        let start = Instant::now();
        let mut overhead = Overhead::default();
        for tenth in [0, 1, 2, 3, 10] {
            overhead.sample_started(start + Duration::from_millis(100) * tenth);
        }
        assert!((overhead.rate() - 4.0).abs() < 1e-9);
        assert_eq!(overhead.longest_gap, Duration::from_millis(700));
    }

    #[test]
    fn the_profilers_own_peak_is_measured() {
        let cost =
            Overhead::default().report(&Schedule::new(Duration::from_secs(1), Instant::now()));
        assert!(cost.peak > ByteSize::mib(1));
    }
}
