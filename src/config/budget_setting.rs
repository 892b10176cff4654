//! Values of budgets and of the memory floor: `"auto"`, `"300 MiB"`, `500`.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::metric::Amount;
use crate::units::{ByteSize, QuantityError, parse_size};

/// Value of a budget. Its unit is checked against the metric in [`crate::plan`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BudgetSetting {
    /// `auto`: constant of the SkyPilot under test.
    Auto,
    /// Fixed limit.
    Limit(Amount),
}

impl FromStr for BudgetSetting {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "auto" => Ok(Self::Auto),
            text => text.parse().map(Self::Limit),
        }
    }
}

impl<'de> Deserialize<'de> for BudgetSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNumber;

        impl Visitor<'_> for TextOrNumber {
            type Value = BudgetSetting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as `\"300MiB\"`, a count such as `500`, or `\"auto\"`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<BudgetSetting, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, count: u64) -> Result<BudgetSetting, E> {
                Ok(BudgetSetting::Limit(Amount::Count(count)))
            }

            // TOML has signed integers only, so this is what its parser calls.
            fn visit_i64<E: Error>(self, number: i64) -> Result<BudgetSetting, E> {
                let count = u64::try_from(number)
                    .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(number), &self))?;
                self.visit_u64(count)
            }
        }

        deserializer.deserialize_any(TextOrNumber)
    }
}

/// Value of the memory floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeSetting {
    /// `auto`: chosen by skyload for the machine.
    Auto,
    /// Fixed size.
    Size(ByteSize),
}

impl<'de> Deserialize<'de> for SizeSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.trim() {
            "auto" => Ok(Self::Auto),
            text => parse_size(text).map(Self::Size).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::constant("auto", BudgetSetting::Auto)]
    #[case::size(" 300 MiB", BudgetSetting::Limit(Amount::Size(ByteSize::mib(300))))]
    #[case::bytes("500B", BudgetSetting::Limit(Amount::Size(ByteSize(500))))]
    #[case::count("500 ", BudgetSetting::Limit(Amount::Count(500)))]
    #[case::nothing("0", BudgetSetting::Limit(Amount::Count(0)))]
    fn the_notation_of_a_limit_tells_its_unit(#[case] text: &str, #[case] setting: BudgetSetting) {
        assert_eq!(text.parse::<BudgetSetting>().unwrap(), setting);
    }

    #[rstest]
    #[case::empty("")]
    #[case::fractional_count("1.5")]
    #[case::negative("-3")]
    #[case::count_overflow("99999999999999999999")]
    #[case::unknown_unit("1XB")]
    #[case::zero_bytes("0B")]
    fn a_value_that_is_neither_size_nor_count_is_an_error(#[case] text: &str) {
        assert!(text.parse::<BudgetSetting>().is_err());
    }
}
