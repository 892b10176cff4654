//! The server's log: lines on stdout, in the format of SkyPilot's.

use std::io::{Write, stdout};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Logs `message` as coming from `source` (`file.py:LINE`).
pub(crate) fn info(source: &str, message: &str) {
    let line = format!("I {} PID={} {source}] {message}\n", stamp(now()), std::process::id());
    // One write, so that lines of other processes are not mixed into it. A log
    // that cannot be written must not stop the server.
    _ = stdout().write_all(line.as_bytes());
}

/// How far this server's clock is ahead of the machine's.
static AHEAD: OnceLock<Duration> = OnceLock::new();

/// Puts the clock forward, once and before it is read.
pub(crate) fn put_clock_forward(by: Duration) {
    // It was put forward before: that one counts.
    _ = AHEAD.set(by);
}

/// The time since 1970, by this server's clock.
pub(crate) fn now() -> Duration {
    let ahead = AHEAD.get().copied().unwrap_or_default();
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + ahead
}

/// `11-24 08:13:50.854`, in UTC.
fn stamp(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (month, day) = month_and_day(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since_1970.subsec_millis();
    format!("{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}")
}

/// The month and day of a number of days after 1970-01-01 (Gregorian calendar,
/// counted in eras of 400 years that begin on a 1st of March).
fn month_and_day(days: u64) -> (u64, u64) {
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
    fn a_time_is_stamped_as_skypilot_does() {
        assert_eq!(stamp(Duration::from_millis(1_795_508_030_854)), "11-24 08:13:50.854");
        assert_eq!(month_and_day(11_016), (2, 29));
        assert_eq!(month_and_day(0), (1, 1));
    }
}
