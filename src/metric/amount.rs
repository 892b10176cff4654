//! Amounts with units. Amounts of different units cannot be compared.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{
    self, ByteSize, GrowthRate, Percent, QuantityError, as_mib, parse_size, significant,
};

/// Unit of an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Size,
    /// Pieces, such as processes or threads.
    Count,
    /// Seconds.
    Duration,
    /// Percent of a whole.
    Share,
    /// Pieces per second, such as iterations.
    Rate,
    /// Bytes per hour.
    GrowthRate,
}

impl Unit {
    /// Name for an amount of this unit, in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Count => "count",
            Self::Duration => "duration",
            Self::Share => "share",
            Self::Rate => "rate",
            Self::GrowthRate => "size per hour",
        }
    }

    /// Example of an amount of this unit, as typed in a flag.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Size => "300MiB",
            Self::Count => "500",
            Self::Duration => "5s",
            Self::Share => "1%",
            Self::Rate => "2/s",
            Self::GrowthRate => "5MiB/h",
        }
    }
}

/// Amount with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// Number of bytes.
    Size(ByteSize),
    /// Number of pieces, such as processes or threads.
    Count(u64),
    /// Duration, in seconds.
    Duration(
        #[serde(with = "units::seconds")]
        #[schemars(with = "crate::units::Seconds")]
        Duration,
    ),
    /// Share of a whole.
    Share(Percent),
    /// Number of pieces per second, such as iterations.
    Rate(f64),
    /// Number of bytes per hour; negative if memory shrinks.
    GrowthRate(GrowthRate),
}

impl Amount {
    /// Unit of the amount.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Size(_) => Unit::Size,
            Self::Count(_) => Unit::Count,
            Self::Duration(_) => Unit::Duration,
            Self::Share(_) => Unit::Share,
            Self::Rate(_) => Unit::Rate,
            Self::GrowthRate(_) => Unit::GrowthRate,
        }
    }

    /// Amount in this unit from text, as flags and files have it.
    pub fn parse(text: &str, unit: Unit) -> Result<Self, QuantityError> {
        let text = text.trim();
        let error = |expected| QuantityError::new(text, expected);
        match unit {
            Unit::Size => parse_size(text).map(Self::Size),
            Unit::Share => text.parse().map(Self::Share),
            Unit::GrowthRate => text.parse().map(Self::GrowthRate),
            Unit::Count => text
                .parse()
                .map(Self::Count)
                .map_err(|_| error("a count without a unit, such as `10`")),
            // humantime reads `0` without a unit.
            Unit::Duration => humantime::parse_duration(text)
                .ok()
                .filter(|_| text.contains(char::is_alphabetic))
                .map(Self::Duration)
                .ok_or_else(|| error("a duration with its unit, such as `5s` or `300ms`")),
            Unit::Rate => text
                .strip_suffix("/s")
                .and_then(|number| number.trim().parse::<f64>().ok())
                .filter(|rate| rate.is_finite() && *rate >= 0.0)
                .map(Self::Rate)
                .ok_or_else(|| error("a rate per second, such as `2/s` or `0.5/s`")),
        }
    }

    /// Text that [`Self::parse`] takes for the same amount. (The text of `Display` is rounded.)
    pub fn typed(self) -> String {
        match self {
            Self::Size(size) => format!("{}B", size.as_u64()),
            Self::Count(count) => count.to_string(),
            Self::Duration(duration) => humantime::format_duration(duration).to_string(),
            Self::Share(share) => format!("{}%", share.value()),
            Self::Rate(rate) => format!("{rate}/s"),
            Self::GrowthRate(rate) => format!("{:.0}B/h", rate.as_bytes_per_hour()),
        }
    }

    /// Text with as many digits as tell the amount from its limit: a breach never reads as the
    /// limit.
    pub fn beside(self, limit: Self) -> String {
        /// Most additional digits: as many as a floating-point number has.
        const MOST: usize = 16;
        let is_told = |more: &usize| self.with_digits(*more) != limit.with_digits(*more);
        // Equal amounts have equal texts.
        self.with_digits((0..=MOST).find(is_told).unwrap_or_default())
    }

    /// Text with the unit, and `more` digits than usual.
    fn with_digits(self, more: usize) -> String {
        match self {
            Self::Size(size) => format!("{:.*} MiB", 1 + more, as_mib(size)),
            Self::Count(count) => count.to_string(),
            Self::Duration(duration) => format!("{:.*} s", 3 + more, duration.as_secs_f64()),
            Self::Share(share) => share.with_digits(more),
            Self::Rate(rate) => format!("{}/s", significant(rate, more)),
            Self::GrowthRate(rate) => rate.with_digits(more),
        }
    }

    /// Whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.number() == 0.0
    }

    /// Number of bytes; `None` for an amount of another unit.
    pub const fn as_size(self) -> Option<ByteSize> {
        match self {
            Self::Size(size) => Some(size),
            _ => None,
        }
    }

    /// Duration; `None` for an amount of another unit.
    pub const fn as_duration(self) -> Option<Duration> {
        match self {
            Self::Duration(duration) => Some(duration),
            _ => None,
        }
    }

    /// Amount as a fraction of `whole`; `None` if the units differ or `whole` is zero.
    pub fn share_of(self, whole: Self) -> Option<f64> {
        let is_comparable = self.unit() == whole.unit() && whole.number() > 0.0;
        is_comparable.then(|| self.number() / whole.number())
    }

    /// Amount of a number in a unit. A negative number is 0 where amounts cannot be negative, and
    /// one of bytes or pieces is rounded.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and a float-to-integer `as` saturates"
    )]
    pub(crate) fn of_number(signed: f64, unit: Unit) -> Self {
        let number = signed.max(0.0);
        match unit {
            Unit::Size => Self::Size(ByteSize(number.round() as u64)),
            Unit::Count => Self::Count(number.round() as u64),
            Unit::Duration => {
                Self::Duration(Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX))
            }
            Unit::Share => Self::Share(Percent::new(number)),
            Unit::Rate => Self::Rate(number),
            Unit::GrowthRate => Self::GrowthRate(GrowthRate::bytes_per_hour(signed)),
        }
    }

    /// Number in the amount's unit: bytes, pieces, seconds, percent, pieces per second or bytes
    /// per hour.
    #[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^52")]
    pub(crate) fn number(self) -> f64 {
        match self {
            Self::Size(size) => size.as_u64() as f64,
            Self::Count(count) => count as f64,
            Self::Duration(duration) => duration.as_secs_f64(),
            Self::Share(share) => share.value(),
            Self::Rate(rate) => rate,
            Self::GrowthRate(rate) => rate.as_bytes_per_hour(),
        }
    }
}

/// Order of amounts of one unit; amounts of different units have none.
impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Size(one), Self::Size(other)) => Some(one.cmp(other)),
            (Self::Count(one), Self::Count(other)) => Some(one.cmp(other)),
            (Self::Duration(one), Self::Duration(other)) => Some(one.cmp(other)),
            (Self::Share(one), Self::Share(other)) => one.partial_cmp(other),
            (Self::Rate(one), Self::Rate(other)) => one.partial_cmp(other),
            (Self::GrowthRate(one), Self::GrowthRate(other)) => one.partial_cmp(other),
            _ => None,
        }
    }
}

/// Text with the unit. Sizes are always in MiB, so that they are easy to compare.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.with_digits(0))
    }
}

/// Parser of budgets: a number with a unit is a size, or with `/h` a size per hour; a number
/// without one is a count.
impl FromStr for Amount {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(count) = text.trim().parse() {
            return Ok(Self::Count(count));
        }
        if text.contains('/') {
            return text.parse().map(Self::GrowthRate);
        }
        parse_size(text).map(Self::Size).map_err(|error| QuantityError {
            expected: "a size, such as `100MiB` or `0.3GiB` (units: B, KB, KiB, MB, MiB, GB, GiB, \
                       TB, TiB), a size per hour, such as `5MiB/h`, or a count, such as `500`",
            ..error
        })
    }
}

impl From<ByteSize> for Amount {
    fn from(size: ByteSize) -> Self {
        Self::Size(size)
    }
}
