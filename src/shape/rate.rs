//! Arrival rate: iterations per second.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::QuantityError;

/// Arrival rate, at most 10,000 per second. In files and flags a text, such as `20/s` or `30/m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// Largest rate: more is most likely a typing error.
    const MAX: f64 = 10_000.0;

    /// Rate of whole iterations per second.
    pub const fn per_second(count: u16) -> Self {
        Self(count as f64)
    }

    /// Iterations per second.
    pub const fn as_per_second(self) -> f64 {
        self.0
    }

    /// Multiple of the rate; `None` if it is no rate.
    pub fn times(self, factor: f64) -> Option<Self> {
        let rate = self.0 * factor;
        // False for NaN, too.
        (0.0..=Self::MAX).contains(&rate).then_some(Self(rate))
    }

    /// Whether nothing arrives.
    pub const fn is_zero(self) -> bool {
        self.0 == 0.0
    }
}

impl FromStr for Rate {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || {
            let expected = "a rate of at most 10000/s, such as `20/s`, `0.5/s` or `30/m`";
            QuantityError::new(text, expected)
        };
        let (count, unit) = text.split_once('/').ok_or_else(error)?;
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(error()),
        };
        let count: f64 = count.trim().parse().map_err(|_| error())?;
        let rate = count / seconds;
        // False for NaN, too.
        if (0.0..=Self::MAX).contains(&rate) { Ok(Self(rate)) } else { Err(error()) }
    }
}

/// Text that is parsed to the same rate: per second, or per minute or hour if that is shorter.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = [(1.0, "s"), (60.0, "m"), (3600.0, "h")]
            .map(|(seconds, unit)| format!("{}/{unit}", self.0 * seconds));
        let exact = texts.into_iter().filter(|text| text.parse() == Ok(*self));
        // Per second is always exact: Rust prints the digits that give the same number.
        let shortest = exact.min_by_key(String::len);
        f.pad(&shortest.unwrap_or_else(|| format!("{}/s", self.0)))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "Rate, such as `20/s`." })
    }
}
