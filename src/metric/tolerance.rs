//! Tolerance of a kind of metric: the change that does not matter in a comparison.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Kind, Unit};
use crate::units::{ByteSize, GrowthRate, Percent, QuantityError};

/// Change up to which a metric counts as the same: the larger of a share of the base's value and
/// an amount.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tolerance {
    /// Share of the base's value.
    #[schemars(with = "String")]
    pub share: Percent,
    /// Amount; `None` for the share alone.
    pub amount: Option<Amount>,
}

impl Tolerance {
    /// Default tolerance of a kind of metric.
    pub fn of(kind: Kind) -> Self {
        let tolerance = |share, amount| Self { share: Percent::new(share), amount };
        match kind {
            Kind::Memory => tolerance(5.0, Some(Amount::Size(ByteSize::mib(10)))),
            Kind::Growth => tolerance(10.0, Some(Amount::Size(ByteSize::mib(50)))),
            Kind::GrowthRate => {
                tolerance(10.0, Some(Amount::GrowthRate(GrowthRate::mib_per_hour(5.0))))
            }
            Kind::Cpu => tolerance(5.0, None),
            Kind::Latency => tolerance(10.0, None),
            Kind::Count => tolerance(10.0, Some(Amount::Count(10))),
        }
    }

    /// Tolerance in the unit of a kind of metric, from text such as `5%`, `10 MiB` or
    /// `5% or 10 MiB`.
    pub fn parse(text: &str, unit: Unit) -> Result<Self, QuantityError> {
        let mut tolerance = Self { share: Percent::default(), amount: None };
        for part in text.split(" or ").map(str::trim) {
            match part.ends_with('%') {
                true => tolerance.share = part.parse()?,
                false => tolerance.amount = Some(Amount::parse(part, unit)?),
            }
        }
        Ok(tolerance)
    }

    /// Largest change of this base value that is tolerated, in the unit of the value.
    pub fn around(self, base: f64) -> f64 {
        let amount = self.amount.map_or(0.0, Amount::number);
        (base.abs() * self.share.value() / 100.0).max(amount)
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.amount {
            Some(amount) if self.share == Percent::default() => write!(f, "{amount}"),
            Some(amount) => write!(f, "{} or {amount}", self.share),
            None => write!(f, "{}", self.share),
        }
    }
}
