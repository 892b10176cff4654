//! Limits of a comparison: how many runs it makes, for how long, and what it compares.

use std::time::{Duration, Instant};

use crate::flags;

/// Most pairs, unless a flag says otherwise.
const PAIRS: u32 = 5;

/// Limits of a comparison, or of each comparison of a bisection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Most pairs.
    pub(crate) pairs: u32,
    /// Time after which no further pair begins; `None` without a limit.
    pub(crate) max_time: Option<Duration>,
    /// Whether runs are compared although their conditions differ.
    pub(crate) allows_differences: bool,
}

impl Limits {
    /// Limits of flags, or those of the comparison that is continued; with a usage error.
    pub(crate) fn of_flags(flags: &flags::Paired, begun: Option<Self>) -> (Self, Option<String>) {
        let pairs = flags.pairs.or(begun.map(|begun| begun.pairs)).unwrap_or(PAIRS);
        let (max_time, mistake) = match flags.max_time.as_deref().map(str::trim) {
            None => (begun.and_then(|begun| begun.max_time), None),
            Some(text) => match humantime::parse_duration(text) {
                Ok(time) if !time.is_zero() => (Some(time), None),
                _ => (None, Some(format!("--max-time: expected a time such as 2h, got `{text}`"))),
            },
        };
        let allows_differences =
            flags.allow_differences || begun.is_some_and(|begun| begun.allows_differences);
        (Self { pairs, max_time, allows_differences }, mistake)
    }
}

/// Clock of the time limit, of one comparison or of all comparisons of a bisection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PairClock {
    /// Start of the time; `None` if the first pair starts it.
    began: Option<Instant>,
    /// Time of the longest pair so far.
    longest_pair: Duration,
}

impl PairClock {
    /// Clock of a bisection, which also counts installations and warm-ups.
    pub(crate) fn since(began: Instant) -> Self {
        Self { began: Some(began), ..Self::default() }
    }

    /// Whether a pair that begins `now` ends in time if it takes as long as the longest so far.
    pub(crate) fn fits(&mut self, now: Instant, max_time: Option<Duration>) -> bool {
        let began = *self.began.get_or_insert(now);
        let expected = now.duration_since(began).saturating_add(self.longest_pair);
        max_time.is_none_or(|most| expected <= most)
    }

    /// Counts a pair, or the part of one that has ended.
    pub(super) fn pair_took(&mut self, time: Duration) {
        self.longest_pair = self.longest_pair.max(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minutes(count: u64) -> Duration {
        Duration::from_secs(60 * count)
    }

    #[test]
    fn the_first_pair_of_a_comparison_starts_its_clock() {
        let (start, hour) = (Instant::now(), Some(minutes(60)));
        let mut clock = PairClock::default();
        assert!(clock.fits(start + minutes(90), hour), "installations and warm-ups do not count");
        clock.pair_took(minutes(20));
        clock.pair_took(minutes(10));
        assert!(clock.fits(start + minutes(130), hour));
        assert!(!clock.fits(start + minutes(131), hour), "it would end after the limit");
        assert!(clock.fits(start + minutes(1000), None));
    }

    #[test]
    fn all_time_of_a_bisection_counts() {
        let (start, hour) = (Instant::now(), Some(minutes(60)));
        let mut clock = PairClock::since(start);
        assert!(clock.fits(start + minutes(5), hour));
        clock.pair_took(minutes(20));
        // Of the next comparison, whose version was installed and warmed up meanwhile.
        assert!(clock.fits(start + minutes(40), hour));
        assert!(!clock.fits(start + minutes(41), hour));
    }
}
