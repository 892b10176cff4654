//! Values of `ramp` and `fit`, in the file and as flags.

use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

use crate::units::QuantityError;

/// Time over which the starts of users are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RampSetting {
    /// `auto`: time that the machine needs to start the executors of the load.
    Auto,
    /// Fixed time; zero is a burst.
    Over(Duration),
}

impl RampSetting {
    /// Burst: all users start together.
    pub const BURST: Self = Self::Over(Duration::ZERO);
}

/// Time limit that the load is reduced to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitSetting {
    /// `off`: no limit.
    Off,
    /// Maximum of the load's estimated time.
    Within(Duration),
}

impl FromStr for RampSetting {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.trim() == "auto" {
            return Ok(Self::Auto);
        }
        let expected = "`auto` or a time such as `30s`, where `0s` starts all users together";
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
    #[case::auto("auto", RampSetting::Auto)]
    #[case::a_time(" 1m 30s", RampSetting::Over(Duration::from_secs(90)))]
    #[case::a_burst("0s", RampSetting::BURST)]
    fn a_ramp_is_a_time_or_auto(#[case] text: &str, #[case] ramp: RampSetting) {
        assert_eq!(text.parse::<RampSetting>().unwrap(), ramp);
    }

    #[rstest]
    #[case::without_a_unit("30")]
    #[case::negative("-1s")]
    #[case::a_word("slow")]
    fn another_ramp_is_an_error(#[case] text: &str) {
        assert!(text.parse::<RampSetting>().is_err());
    }

    #[test]
    fn a_time_limit_of_zero_is_an_error() {
        assert_eq!("off".parse::<FitSetting>().unwrap(), FitSetting::Off);
        assert!("0s".parse::<FitSetting>().is_err());
    }
}
