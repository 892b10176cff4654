//! Time that several processes agree on.
//!
//! `Instant` cannot cross processes and the wall clock may be set while a run
//! goes on. Each process therefore reads the wall clock once and adds what its
//! monotonic clock says has passed since.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A moment, in microseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment that lies `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// As the system's type; the year 9999 is the last that can be written as a date.
    pub fn to_system_time(self) -> SystemTime {
        const LAST: u64 = 253_402_300_799_999_999;
        UNIX_EPOCH + Duration::from_micros(self.0.min(LAST))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(self.to_system_time()).fmt(f)
    }
}

/// How far the clock of another machine is ahead of ours, and how well that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClockOffset {
    /// Negative when it is behind.
    ahead_micros: i64,
    /// It may be so much more or less.
    uncertain_micros: u64,
}

impl ClockOffset {
    /// What one exchange tells: the other clock showed `theirs` at some moment between
    /// `sent` and `received` of ours.
    pub fn bounded_by(sent: Timestamp, theirs: Timestamp, received: Timestamp) -> Self {
        let half = received.0.saturating_sub(sent.0).div_ceil(2);
        let middle = sent.0.saturating_add(half);
        let ahead = i128::from(theirs.0) - i128::from(middle);
        let limit = if ahead < 0 { i64::MIN } else { i64::MAX };
        Self { ahead_micros: i64::try_from(ahead).unwrap_or(limit), uncertain_micros: half }
    }

    /// By how much it may be wrong.
    pub const fn uncertainty(self) -> Duration {
        Duration::from_micros(self.uncertain_micros)
    }

    /// A moment of the other clock by ours.
    pub fn to_ours(self, theirs: Timestamp) -> Timestamp {
        Timestamp(theirs.0.saturating_add_signed(self.ahead_micros.saturating_neg()))
    }

    /// A moment of our clock by the other.
    pub fn to_theirs(self, ours: Timestamp) -> Timestamp {
        Timestamp(ours.0.saturating_add_signed(self.ahead_micros))
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = if self.ahead_micros < 0 { "behind" } else { "ahead" };
        let by = Duration::from_micros(self.ahead_micros.unsigned_abs()).as_secs_f64();
        write!(f, "{by:.3} s {way} (+- {:.3} s)", self.uncertainty().as_secs_f64())
    }
}

/// One process's view of time: a wall-clock anchor and a monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    anchor: Instant,
    wall: Timestamp,
}

impl Timeline {
    /// Reads both clocks.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { anchor: Instant::now(), wall: Timestamp::default().plus(since_epoch) }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// The moment at which the monotonic clock showed `instant`.
    pub fn at(&self, instant: Instant) -> Timestamp {
        self.wall.plus(instant.saturating_duration_since(self.anchor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(second: u64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn an_exchange_bounds_the_other_clock_from_both_sides() {
        let ahead = ClockOffset::bounded_by(second(100), second(401), second(102));
        assert_eq!(ahead.to_string(), "300.000 s ahead (+- 1.000 s)");
        assert_eq!(ahead.to_ours(second(401)), second(101));
        let behind = ClockOffset::bounded_by(second(100), second(51), second(102));
        assert_eq!(behind.to_string(), "50.000 s behind (+- 1.000 s)");
        assert_eq!(behind.to_ours(second(51)), second(101));
    }

    #[test]
    fn every_moment_can_be_written_as_a_date() {
        let last = Timestamp::from_micros(u64::MAX);
        assert_eq!(last.to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn there_and_back_is_the_same_moment() {
        let offset = ClockOffset::bounded_by(second(100), second(51), second(101));
        assert_eq!(offset.to_theirs(offset.to_ours(second(7000))), second(7000));
    }
}
