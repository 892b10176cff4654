//! When the next tick is due: at fixed distances from the first one, so that the
//! time a tick takes never adds up, and what was missed stays missed.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Ticker {
    interval: Duration,
    due: Instant,
    missed: u64,
}

impl Ticker {
    /// The first tick is due at `first`.
    pub(super) fn new(interval: Duration, first: Instant) -> Self {
        Self { interval, due: first, missed: 0 }
    }

    /// When the next tick is due.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Ticks that never happened, since the one before took too long.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }

    /// The tick that was due is done, at `now`: moves on to the first that is
    /// still to come.
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
    fn ticks_keep_their_distance_however_long_each_takes() {
        let start = Instant::now();
        let mut ticker = Ticker::new(STEP, start);
        for count in 1..=100 {
            ticker.advance(ticker.due() + STEP / 2);
            assert_eq!(ticker.due(), start + STEP * count);
        }
        assert_eq!(ticker.missed(), 0);
    }

    #[test]
    fn ticks_that_were_slept_through_are_counted_and_not_caught_up() {
        let start = Instant::now();
        let mut ticker = Ticker::new(STEP, start);
        ticker.advance(start + Duration::from_millis(130));
        assert_eq!(ticker.due(), start + Duration::from_millis(150));
        assert_eq!(ticker.missed(), 2);
    }
}
