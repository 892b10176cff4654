//! Schedule of samples: at multiples of the interval after the first one, so that the time
//! that a sample takes does not accumulate. Missed samples are not caught up.

use std::time::{Duration, Instant};

/// Due time of the next sample.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Duration,
    due: Instant,
    missed: u64,
}

impl Schedule {
    /// Schedule whose first sample is due at `first`.
    pub(super) fn new(interval: Duration, first: Instant) -> Self {
        Self { interval, due: first, missed: 0 }
    }

    /// Due time of the next sample.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Number of samples that were skipped because an earlier one took too long.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }

    /// Moves on to the first sample due at `now` or later, after the current one is done.
    pub(super) fn advance(&mut self, now: Instant) {
        self.due += self.interval;
        while self.due < now {
            self.due += self.interval;
            self.missed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(50);

    #[test]
    fn samples_stay_on_schedule_however_long_each_takes() {
        let start = Instant::now();
        let mut schedule = Schedule::new(STEP, start);
        for count in 1..=100 {
            schedule.advance(schedule.due() + STEP / 2);
            assert_eq!(schedule.due(), start + STEP * count);
        }
        assert_eq!(schedule.missed(), 0);
    }

    #[test]
    fn missed_samples_are_counted_and_not_caught_up() {
        let start = Instant::now();
        let mut schedule = Schedule::new(STEP, start);
        schedule.advance(start + Duration::from_millis(130));
        assert_eq!(schedule.due(), start + Duration::from_millis(150));
        assert_eq!(schedule.missed(), 2);
    }
}
