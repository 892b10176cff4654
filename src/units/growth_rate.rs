//! Growth of memory over time, in bytes per hour: `"5 MiB/h"`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ByteSize, QuantityError, parse_size};

/// Growth of memory in bytes per hour; negative if memory shrinks. A number in files.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct GrowthRate(f64);

impl GrowthRate {
    /// Rate of this number of bytes per hour.
    pub const fn bytes_per_hour(bytes: f64) -> Self {
        Self(bytes)
    }

    /// Rate of this number of MiB per hour.
    pub const fn mib_per_hour(mib: f64) -> Self {
        Self(mib * 1024.0 * 1024.0)
    }

    /// Number of bytes per hour.
    pub const fn as_bytes_per_hour(self) -> f64 {
        self.0
    }

    /// Number of MiB per hour.
    pub const fn as_mib_per_hour(self) -> f64 {
        self.0 / (1024.0 * 1024.0)
    }

    /// Text with `more` digits than usual, in MiB per hour, as sizes of metrics are in MiB.
    pub(crate) fn with_digits(self, more: usize) -> String {
        format!("{} MiB/h", without_sign_of_zero(self.as_mib_per_hour(), 1 + more))
    }
}

/// Text in MiB per hour.
impl fmt::Display for GrowthRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.with_digits(0))
    }
}

/// Number with one digit after the point. A negative number that rounds to zero has no sign.
pub(crate) fn in_tenths(number: f64) -> String {
    without_sign_of_zero(number, 1)
}

fn without_sign_of_zero(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    match text.strip_prefix('-') {
        Some(zero) if zero.chars().all(|digit| matches!(digit, '0' | '.')) => zero.to_owned(),
        _ => text,
    }
}

impl FromStr for GrowthRate {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || {
            QuantityError::new(
                text,
                "a size per hour, such as `5MiB/h` or `0.1GiB/h` (units: B, KB, KiB, MB, MiB, GB, \
                 GiB, TB, TiB)",
            )
        };
        let size = text.trim().strip_suffix("/h").ok_or_else(error)?;
        let ByteSize(bytes) = parse_size(size.trim_end()).map_err(|_| error())?;
        #[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52 bytes")]
        Ok(Self(bytes as f64))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::without_space("5MiB/h", 5.0, "5.0 MiB/h")]
    #[case::with_spaces(" 0.5 GiB /h ", 512.0, "512.0 MiB/h")]
    fn a_rate_is_a_size_per_hour(#[case] text: &str, #[case] mib: f64, #[case] shown: &str) {
        let rate: GrowthRate = text.parse().unwrap();
        assert_eq!(rate, GrowthRate::mib_per_hour(mib));
        assert_eq!(rate.to_string(), shown);
    }

    #[rstest]
    #[case::no_time("5MiB")]
    #[case::no_unit("5/h")]
    #[case::nothing("0MiB/h")]
    #[case::negative("-5MiB/h")]
    #[case::per_minute("5MiB/min")]
    #[case::empty("")]
    fn other_texts_are_errors_that_name_the_notation(#[case] text: &str) {
        let error = text.parse::<GrowthRate>().unwrap_err().to_string();
        assert!(error.contains("such as `5MiB/h`") && error.ends_with(&format!("got `{text}`")));
    }

    #[test]
    fn a_small_shrinkage_is_shown_without_a_sign() {
        assert_eq!(GrowthRate::mib_per_hour(-0.01).to_string(), "0.0 MiB/h");
        assert_eq!(GrowthRate::mib_per_hour(-2.0).to_string(), "-2.0 MiB/h");
    }
}
