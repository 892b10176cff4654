//! How fast a load begins, and how long it may take, as people write it.

use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

use crate::units::QuantityError;

/// Time over which the starts of users are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RampSetting {
    /// As long as this machine needs to start the executors that the plan needs.
    Auto,
    /// This long; zero is a burst.
    Over(Duration),
}

impl RampSetting {
    /// Every user starts at once.
    pub const BURST: Self = Self::Over(Duration::ZERO);
}

/// Time that the load is to take at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitSetting {
    /// As long as it takes.
    Off,
    /// About this long: on a slower machine less is done.
    Within(Duration),
}

impl FromStr for RampSetting {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.trim() == "auto" {
            return Ok(Self::Auto);
        }
        let expected = "`auto` or a time such as `30s`, where `0s` starts all users at once";
        duration(text).map(Self::Over).ok_or_else(|| QuantityError::new(text, expected))
    }
}

impl FromStr for FitSetting {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.trim() == "off" {
            return Ok(Self::Off);
        }
        let time = duration(text).filter(|time| !time.is_zero());
        time.map(Self::Within)
            .ok_or_else(|| QuantityError::new(text, "`off` or a time such as `5m`"))
    }
}

fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok()
}

impl<'de> Deserialize<'de> for RampSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for FitSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::by_the_machine("auto", RampSetting::Auto)]
    #[case::a_time(" 1m 30s", RampSetting::Over(Duration::from_secs(90)))]
    #[case::a_burst("0s", RampSetting::BURST)]
    fn a_ramp_is_a_time_or_left_to_skyload(#[case] text: &str, #[case] ramp: RampSetting) {
        assert_eq!(text.parse::<RampSetting>().unwrap(), ramp);
    }

    #[rstest]
    #[case::without_a_unit("30")]
    #[case::less_than_nothing("-1s")]
    #[case::a_word("slow")]
    fn a_ramp_that_is_neither_is_refused(#[case] text: &str) {
        assert!(text.parse::<RampSetting>().is_err());
    }

    #[test]
    fn a_load_that_is_to_take_no_time_is_refused() {
        assert_eq!("off".parse::<FitSetting>().unwrap(), FitSetting::Off);
        assert!("0s".parse::<FitSetting>().is_err());
    }
}
