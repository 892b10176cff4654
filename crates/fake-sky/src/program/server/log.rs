//! Log of the server: lines on stdout in SkyPilot's format. Also the server's clock.

use std::io::{Write, stdout};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Logs `message` with `source` (`file.py:LINE`) as its place in SkyPilot.
pub(crate) fn info(source: &str, message: &str) {
    let line = format!("I {} PID={} {source}] {message}\n", stamp(now()), std::process::id());
    // A single write, so that it is not mixed with lines of other processes. A write error
    // must not stop the server.
    _ = stdout().write_all(line.as_bytes());
}

/// Offset of the server's clock, ahead of the machine's.
static CLOCK_OFFSET: OnceLock<Duration> = OnceLock::new();

/// Sets the server's clock ahead of the machine's. Call before the first [`now`].
pub(crate) fn advance_clock(by: Duration) {
    // An error means that the offset is already set, and the first one is used.
    _ = CLOCK_OFFSET.set(by);
}

/// Time since 1970 by the server's clock.
pub(crate) fn now() -> Duration {
    let offset = CLOCK_OFFSET.get().copied().unwrap_or_default();
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + offset
}

/// Timestamp of a log line, in UTC: `11-24 08:13:50.854`.
fn stamp(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (month, day) = month_and_day(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since_1970.subsec_millis();
    format!("{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}")
}

/// Month and day, `days` days after 1970-01-01 in the Gregorian calendar.
fn month_and_day(days: u64) -> (u64, u64) {
    // The calendar repeats every 400 years (146,097 days). Years are counted from 1 March,
    // which puts the leap day last; 719,468 days lie between 0000-03-01 and 1970-01-01.
    let day_of_era = (days + 719_468) % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_has_skypilots_format() {
        assert_eq!(stamp(Duration::from_millis(1_795_508_030_854)), "11-24 08:13:50.854");
        assert_eq!(month_and_day(11_016), (2, 29));
        assert_eq!(month_and_day(0), (1, 1));
    }
}
