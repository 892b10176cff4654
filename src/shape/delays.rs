//! Delays of which each iteration draws one: times and ranges of times.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Pause;
use crate::units::QuantityError;

/// Delays, each as likely as the others. In files and flags a text, such as `5s..30s` or
/// `1s 10s..20s 60s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delays(Vec<Pause>);

impl Delays {
    /// Delays between two times, in seconds.
    pub fn between(shortest: u64, longest: u64) -> Self {
        Self(vec![Pause::between(Duration::from_secs(shortest), Duration::from_secs(longest))])
    }

    /// Longest delay.
    pub fn longest(&self) -> Duration {
        self.0.iter().map(|delay| delay.longest()).max().unwrap_or_default()
    }

    /// Delay drawn from the list, and from its range.
    pub fn draw(&self, random: &mut fastrand::Rng) -> Duration {
        random.choice(&self.0).copied().unwrap_or_default().draw(random)
    }
}

impl FromStr for Delays {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let delays: Result<Vec<Pause>, _> = words.map(str::parse).collect();
        match delays {
            Ok(delays) if !delays.is_empty() => Ok(Self(delays)),
            _ => Err(QuantityError::new(
                text,
                "a time, such as `10s`, a range, such as `5s..30s`, or several of them, such as \
                 `1s 5s..30s`",
            )),
        }
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the spaces within a time, which would separate two of them.
        let words: Vec<String> =
            self.0.iter().map(|delay| delay.to_string().replace(' ', "")).collect();
        f.write_str(&words.join(" "))
    }
}

impl Serialize for Delays {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Delays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Delays {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Delays".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Times and ranges of times, such as `1s 5s..30s`.",
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_time("10s", "10s", 10)]
    #[case::a_range("5s..30s", "5s..30s", 30)]
    #[case::several(" 1s, 5s..30s  1m30s", "1s 5s..30s 1m30s", 90)]
    fn delays_are_times_and_ranges(#[case] text: &str, #[case] shown: &str, #[case] longest: u64) {
        let delays: Delays = text.parse().unwrap();
        assert_eq!(delays.to_string(), shown);
        assert_eq!(shown.parse(), Ok(delays.clone()));
        assert_eq!(delays.longest(), Duration::from_secs(longest));
    }

    #[rstest]
    #[case::nothing(" , ")]
    #[case::without_a_unit("5..30")]
    #[case::a_falling_range("30s..5s")]
    #[case::a_mistake_in_one_of_several("1s 5x")]
    #[case::negative("-1s")]
    fn other_texts_are_errors(#[case] text: &str) {
        let error = text.parse::<Delays>().unwrap_err().to_string();
        assert!(error.contains("`1s 5s..30s`") && error.contains(text.trim()), "{error}");
    }

    #[test]
    fn each_delay_is_drawn_as_often_as_the_others() {
        let delays: Delays = "0s 10s..20s".parse().unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let drawn: Vec<Duration> = (0..1000).map(|_| delays.draw(&mut random)).collect();
        let zeros = drawn.iter().filter(|delay| delay.is_zero()).count();
        assert!((400..600).contains(&zeros), "{zeros}");
        let in_range = |delay: &&Duration| (10.0..=20.0).contains(&delay.as_secs_f64());
        assert_eq!(drawn.iter().filter(in_range).count(), 1000 - zeros);
    }
}
