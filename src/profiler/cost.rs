//! What watching costs: the profiler's own CPU time, memory and punctuality.

use std::time::{Duration, Instant};

use super::ticker::Ticker;
use crate::record::profile::ProfilerOverhead;
use crate::units::ByteSize;
use crate::usage::Usage;

/// Counts the ticks that were taken.
#[derive(Debug, Default)]
pub(super) struct Punctuality {
    ticks: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    longest_gap: Duration,
}

impl Punctuality {
    /// A tick began.
    pub(super) fn began(&mut self, now: Instant) {
        self.ticks += 1;
        self.first.get_or_insert(now);
        if let Some(last) = self.last.replace(now) {
            self.longest_gap = self.longest_gap.max(now.duration_since(last));
        }
    }

    /// The sum so far.
    pub(super) fn cost(&self, ticker: &Ticker) -> ProfilerOverhead {
        ProfilerOverhead {
            samples: self.ticks,
            missed_samples: ticker.missed(),
            rate_hz: self.rate(),
            cpu: Usage::own().cpu,
            peak: own_peak(),
            longest_gap: self.longest_gap,
        }
    }

    /// Ticks per second between the first and the last of them.
    #[expect(clippy::cast_precision_loss, reason = "a count of ticks is far below 2^52")]
    fn rate(&self) -> f64 {
        let (Some(first), Some(last)) = (self.first, self.last) else { return 0.0 };
        let seconds = last.duration_since(first).as_secs_f64();
        if seconds > 0.0 { (self.ticks - 1) as f64 / seconds } else { 0.0 }
    }
}

/// `ru_maxrss` would not do: it survives an exec, and then tells the peak of the
/// process that started the profiler.
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
    fn a_rate_counts_intervals_and_not_their_ends() {
        let start = Instant::now();
        let mut punctuality = Punctuality::default();
        for tenth in [0, 1, 2, 3, 10] {
            punctuality.began(start + Duration::from_millis(100) * tenth);
        }
        assert!((punctuality.rate() - 4.0).abs() < 1e-9);
        assert_eq!(punctuality.longest_gap, Duration::from_millis(700));
    }

    #[test]
    fn the_profilers_own_memory_is_known() {
        let cost =
            Punctuality::default().cost(&Ticker::new(Duration::from_secs(1), Instant::now()));
        assert!(cost.peak > ByteSize::mib(1));
    }
}
