//! Limits of a comparison: how many runs it makes, and what it compares.

use std::time::Duration;

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
