//! Timestamps that processes and machines can compare.
//!
//! An `Instant` has no meaning in another process, and the wall clock may be set during a
//! run. Each process therefore reads the wall clock once and adds the time that its
//! monotonic clock has counted since.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Point in time, in microseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Timestamp `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time elapsed since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Timestamp `duration` later; saturates.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }

    /// Conversion to `SystemTime`, capped at the end of the year 9999.
    pub fn to_system_time(self) -> SystemTime {
        // 9999-12-31T23:59:59.999999Z: `humantime` fails to format a later date, and a
        // timestamp read from a file can be any number.
        const LAST: u64 = 253_402_300_799_999_999;
        UNIX_EPOCH + Duration::from_micros(self.0.min(LAST))
    }
}

impl From<SystemTime> for Timestamp {
    /// Timestamp of a `SystemTime`; the Unix epoch for an earlier one.
    fn from(time: SystemTime) -> Self {
        Self::default().plus(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_millis(self.to_system_time()).fmt(f)
    }
}

/// Offset of a remote machine's clock from the local one, with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClockOffset {
    /// Microseconds that the remote clock is ahead; negative when it is behind.
    ahead_micros: i64,
    /// Bound on the error of `ahead_micros`, in either direction.
    uncertain_micros: u64,
}

impl ClockOffset {
    /// Offset from one exchange: the remote clock showed `remote` at some time between
    /// `sent` and `received` of the local clock.
    pub fn bounded_by(sent: Timestamp, remote: Timestamp, received: Timestamp) -> Self {
        // Taking the middle of the interval as the true time keeps the error below half of it.
        let half = received.0.saturating_sub(sent.0).div_ceil(2);
        let middle = sent.0.saturating_add(half);
        let ahead = i128::from(remote.0) - i128::from(middle);
        let limit = if ahead < 0 { i64::MIN } else { i64::MAX };
        Self { ahead_micros: i64::try_from(ahead).unwrap_or(limit), uncertain_micros: half }
    }

    /// Bound on the error of the offset.
    pub const fn uncertainty(self) -> Duration {
        Duration::from_micros(self.uncertain_micros)
    }

    /// Local timestamp of the remote clock's `remote`.
    pub fn to_local(self, remote: Timestamp) -> Timestamp {
        Timestamp(remote.0.saturating_add_signed(self.ahead_micros.saturating_neg()))
    }

    /// Remote timestamp of the local clock's `local`.
    pub fn to_remote(self, local: Timestamp) -> Timestamp {
        Timestamp(local.0.saturating_add_signed(self.ahead_micros))
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.ahead_micros < 0 { "behind" } else { "ahead" };
        let seconds = Duration::from_micros(self.ahead_micros.unsigned_abs()).as_secs_f64();
        write!(f, "{seconds:.3} s {direction} (+- {:.3} s)", self.uncertainty().as_secs_f64())
    }
}

/// Clock of one process: a wall-clock anchor plus monotonic time since.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    anchor: Instant,
    wall: Timestamp,
}

impl Timeline {
    /// Reads both clocks and anchors one to the other.
    pub fn start() -> Self {
        Self { anchor: Instant::now(), wall: Timestamp::from(SystemTime::now()) }
    }

    /// Current time.
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// Timestamp of `instant`; one before the anchor counts as the anchor.
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
    fn an_exchange_bounds_the_remote_clock_from_both_sides() {
        let ahead = ClockOffset::bounded_by(second(100), second(401), second(102));
        assert_eq!(ahead.to_string(), "300.000 s ahead (+- 1.000 s)");
        assert_eq!(ahead.to_local(second(401)), second(101));
        let behind = ClockOffset::bounded_by(second(100), second(51), second(102));
        assert_eq!(behind.to_string(), "50.000 s behind (+- 1.000 s)");
        assert_eq!(behind.to_local(second(51)), second(101));
    }

    #[test]
    fn every_timestamp_can_be_formatted_as_a_date() {
        let last = Timestamp::from_micros(u64::MAX);
        assert_eq!(last.to_string(), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn converting_to_remote_and_back_keeps_the_timestamp() {
        let offset = ClockOffset::bounded_by(second(100), second(51), second(101));
        assert_eq!(offset.to_remote(offset.to_local(second(7000))), second(7000));
    }
}
