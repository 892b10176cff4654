//! Pause, such as between two iterations of a user: a fixed time, or one drawn from a range.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::QuantityError;

/// Pause, such as between two iterations of a user. In files and flags a text, such as `1s` or `1s..3s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    shortest: Duration,
    longest: Duration,
}

impl Pause {
    /// Pause drawn from a range, whose ends are in this order.
    pub(super) const fn between(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest }
    }

    /// Whether there is no pause.
    pub const fn is_none(self) -> bool {
        self.longest.is_zero()
    }

    /// Whether pauses differ.
    pub fn is_range(self) -> bool {
        self.shortest != self.longest
    }

    /// Longest pause.
    pub const fn longest(self) -> Duration {
        self.longest
    }

    /// Pause drawn from the range.
    pub fn draw(self, random: &mut fastrand::Rng) -> Duration {
        let range = self.longest.saturating_sub(self.shortest);
        self.shortest.saturating_add(range.mul_f64(random.f64()))
    }
}

impl FromStr for Pause {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error =
            || QuantityError::new(text, "a time, such as `1s`, or a range, such as `1s..3s`");
        let time = |text: &str| humantime::parse_duration(text.trim()).map_err(|_| error());
        let (shortest, longest) = text.split_once("..").unwrap_or((text, text));
        let pause = Self { shortest: time(shortest)?, longest: time(longest)? };
        if pause.shortest <= pause.longest { Ok(pause) } else { Err(error()) }
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [shortest, longest] = [self.shortest, self.longest].map(humantime::format_duration);
        match self.shortest == self.longest {
            true => write!(f, "{shortest}"),
            false => write!(f, "{shortest}..{longest}"),
        }
    }
}

impl Serialize for Pause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pause {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Pause {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pause".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "Pause, such as `1s`, or a range of pauses, such as `1s..3s`.",
        })
    }
}
