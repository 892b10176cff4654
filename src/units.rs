//! Quantities with units, in the formats of flags, config and files: `"30s"`, `"1%"`,
//! `"512 MiB"`.
//!
//! In a [`ByteSize`], units without an `i` are decimal: `1 GB` is 10^9 bytes. SkyPilot's
//! constants named `.._GB` are in units of 1024^3 bytes and are converted by [`gib`].

mod digits;
mod growth_rate;
mod schema;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use digits::significant;
pub use growth_rate::GrowthRate;
pub(crate) use growth_rate::in_tenths;
pub use schema::{DurationText, Seconds};

/// Amount of memory in bytes; an exact number in files.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// Size of `number` MiB (1024^2 bytes); saturates.
    pub const fn mib(number: u64) -> Self {
        Self(number.saturating_mul(1 << 20))
    }

    /// Size of `number` GiB (1024^3 bytes); saturates.
    pub const fn gib(number: u64) -> Self {
        Self(number.saturating_mul(1 << 30))
    }

    /// Number of bytes.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Saturating addition, since sizes from files can be any number.
impl std::ops::AddAssign for ByteSize {
    fn add_assign(&mut self, more: Self) {
        self.0 = self.0.saturating_add(more.0);
    }
}

impl std::iter::Sum for ByteSize {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        total(sizes)
    }
}

/// Amount with a saturating addition, for [`total`].
pub trait Additive: Default {
    /// Sum, capped at the largest value of the type.
    #[must_use]
    fn plus(self, more: Self) -> Self;
}

/// Saturating sum, for amounts from files, which can be any number: [`Iterator::sum`] would
/// overflow.
pub fn total<T: Additive>(amounts: impl IntoIterator<Item = T>) -> T {
    amounts.into_iter().fold(T::default(), T::plus)
}

impl Additive for u32 {
    fn plus(self, more: Self) -> Self {
        self.saturating_add(more)
    }
}

impl Additive for u64 {
    fn plus(self, more: Self) -> Self {
        self.saturating_add(more)
    }
}

impl Additive for std::time::Duration {
    fn plus(self, more: Self) -> Self {
        self.saturating_add(more)
    }
}

impl Additive for ByteSize {
    fn plus(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&bytesize::ByteSize(self.0).display().iec().to_string())
    }
}

/// Share of a whole, in percent; 0 % to 100 % when parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// Percentage of `part` in `whole`; `None` if `whole` is 0.
    #[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^52")]
    pub fn of(part: u64, whole: u64) -> Option<Self> {
        (whole > 0).then(|| Self(part as f64 * 100.0 / whole as f64))
    }

    /// Share with this number before the percent sign.
    pub(crate) const fn new(percent: f64) -> Self {
        Self(percent)
    }

    /// Number before the percent sign.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Text with `more` digits than usual.
    pub(crate) fn with_digits(self, more: usize) -> String {
        let number = significant(self.0, more);
        format!("{}%", number.strip_suffix(".0").unwrap_or(&number))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.with_digits(0))
    }
}

impl FromStr for Percent {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError {
            text: text.to_owned(),
            expected: "a percentage from 0% to 100%, such as `1%` or `0.5%`",
        };
        let number = text.trim().strip_suffix('%').ok_or_else(error)?;
        let value: f64 = number.trim().parse().map_err(|_| error())?;
        if (0.0..=100.0).contains(&value) { Ok(Self(value)) } else { Err(error()) }
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}%", self.0))
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Error for a text that is not the expected quantity.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got `{text}`")]
pub struct QuantityError {
    pub(crate) text: String,
    pub(crate) expected: &'static str,
}

impl QuantityError {
    /// Error for `text`, where `expected` is a noun phrase with examples.
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

/// Parses a size with a unit, such as `512MiB`, `0.4 GiB` or `1.5GB`; 0 is an error.
pub fn parse_size(text: &str) -> Result<ByteSize, QuantityError> {
    let error = || QuantityError {
        text: text.to_owned(),
        expected: "a size, such as `100MiB`, `0.3GiB` or `1.5GB` (units: B, KB, KiB, MB, MiB, \
                   GB, GiB, TB, TiB)",
    };
    // `bytesize` reads `500` as bytes. A user who leaves out the unit hardly means bytes.
    if !text.contains(char::is_alphabetic) {
        return Err(error());
    }
    let size: bytesize::ByteSize = text.trim().parse().map_err(|_| error())?;
    if size.as_u64() == 0 { Err(error()) } else { Ok(ByteSize(size.as_u64())) }
}

/// Size for the value of a SkyPilot constant named `.._GB`, in units of 1024^3 bytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer `as` saturates, and memory sizes are far from both ends"
)]
pub fn gib(gigabytes: f64) -> ByteSize {
    ByteSize((gigabytes * 1024.0 * 1024.0 * 1024.0).round() as u64)
}

/// Size in GiB (1024^3 bytes), the unit of upstream's `tests/load_tests`.
#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52 bytes")]
pub fn as_gib(size: ByteSize) -> f64 {
    size.as_u64() as f64 / (1024.0 * 1024.0 * 1024.0)
}

/// Size in MiB (1024^2 bytes), for tables.
#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52 bytes")]
pub fn as_mib(size: ByteSize) -> f64 {
    size.as_u64() as f64 / (1024.0 * 1024.0)
}

/// Durations as text with units, in plans and overhead figures: `"1m 30s"`.
pub mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes a duration as text.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*value))
    }

    /// Reads a duration from text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|error| {
            D::Error::custom(format!(
                "expected a duration, such as `30s` or `5m`, got `{text}`: {error}"
            ))
        })
    }

    /// Optional durations as text with units, or null.
    pub mod option {
        use super::{Deserializer, Duration, Serializer};
        use serde::{Deserialize, Serialize};

        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        struct Text(#[serde(with = "super")] Duration);

        /// Writes a duration as text, or null.
        pub fn serialize<S: Serializer>(
            value: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            value.map(Text).serialize(serializer)
        }

        /// Reads a duration from text, or null.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<Text>::deserialize(deserializer)?.map(|text| text.0))
        }
    }
}

/// Durations as numbers of seconds, in results: `1.25`.
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a duration as a number of seconds.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_secs_f64().serialize(serializer)
    }

    /// Reads a duration from a number of seconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?)
            .map_err(serde::de::Error::custom)
    }

    /// Optional durations as numbers of seconds, or null.
    pub mod option {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serialize, Serializer};

        /// Writes a duration as a number of seconds, or null.
        pub fn serialize<S: Serializer>(
            value: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            value.map(|value| value.as_secs_f64()).serialize(serializer)
        }

        /// Reads a duration from a number of seconds, or null.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Duration>, D::Error> {
            let seconds = Option::<f64>::deserialize(deserializer)?;
            seconds.map(Duration::try_from_secs_f64).transpose().map_err(serde::de::Error::custom)
        }
    }
}

/// Count with its noun, in the plural if it is not one: `1 gap`, `2 gaps`.
pub fn counted(count: impl fmt::Display, noun: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Duration in minutes and whole seconds: `4 min 10 s`.
pub fn in_minutes(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round();
    let minutes = (seconds / 60.0).floor();
    match minutes >= 1.0 {
        true => format!("{minutes} min {} s", seconds - minutes * 60.0),
        false => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skypilots_gigabytes_are_binary() {
        assert_eq!(gib(0.4), ByteSize(429_496_730));
    }

    #[test]
    fn sizes_without_a_known_unit_are_errors() {
        assert!(parse_size("1XB").is_err());
        assert!(parse_size("-1GiB").is_err());
        assert!(parse_size("0").is_err());
        assert!(parse_size("500").is_err(), "bytes are written `500B`");
        assert_eq!(parse_size("100MiB").unwrap(), ByteSize::mib(100));
    }

    #[test]
    fn a_count_other_than_one_has_a_plural() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "gap")), ["0 gaps", "1 gap", "2 gaps"]);
    }

    #[test]
    fn sums_saturate() {
        assert_eq!(total([u32::MAX, 1]), u32::MAX);
        assert_eq!(total([u64::MAX, 1]), u64::MAX);
        assert_eq!([ByteSize(u64::MAX), ByteSize(1)].into_iter().sum::<ByteSize>().0, u64::MAX);
        assert_eq!(total([std::time::Duration::MAX; 2]), std::time::Duration::MAX);
        assert_eq!(ByteSize::gib(u64::MAX), ByteSize(u64::MAX));
        assert_eq!(total([1_u64, 2, 3]), 6);
    }

    #[test]
    fn percentages_need_a_percent_sign() {
        assert_eq!("0.5%".parse::<Percent>().unwrap().value(), 0.5);
        assert!("5".parse::<Percent>().is_err());
        assert!("101%".parse::<Percent>().is_err());
        assert_eq!(Percent::of(1, 0), None);
    }

    #[test]
    fn a_small_share_is_not_shown_as_none() {
        let shares = [(1, 5_000), (2, 5_000), (1, 4), (1, 3), (0, 3)];
        let shown = shares.map(|(part, whole)| Percent::of(part, whole).unwrap().to_string());
        assert_eq!(shown, ["0.02%", "0.04%", "25%", "33.3%", "0%"]);
    }
}
