//! Sizes of SkyPilot's executor pools that a plan sets, in the place of those that SkyPilot
//! computes.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::QuantityError;

/// Sizes of executor pools (`--workers`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PinnedWorkers {
    /// Number of permanent long executors; `None` for the number that SkyPilot computes.
    pub long: Option<u32>,
    /// Number of permanent short executors; `None` for the number that SkyPilot computes.
    pub short: Option<u32>,
}

impl PinnedWorkers {
    /// Largest number of executors: more is most likely a typing error.
    const MAX: u32 = 10_000;

    /// Whether no pool is pinned.
    pub const fn is_none(&self) -> bool {
        self.long.is_none() && self.short.is_none()
    }
}

impl FromStr for PinnedWorkers {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || {
            QuantityError::new(
                text,
                "numbers of executors from 1 to 10000, such as `long=8,short=20`",
            )
        };
        let mut workers = Self::default();
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        for part in parts {
            let (pool, count) = part.split_once('=').ok_or_else(error)?;
            let count = count.parse().ok().filter(|count| (1..=Self::MAX).contains(count));
            let pool = match pool {
                "long" => &mut workers.long,
                "short" => &mut workers.short,
                _ => return Err(error()),
            };
            // A pool that is named twice has no one size.
            if pool.replace(count.ok_or_else(error)?).is_some() {
                return Err(error());
            }
        }
        if workers.is_none() { Err(error()) } else { Ok(workers) }
    }
}

/// Text that the flag takes: `long=8,short=20`.
impl fmt::Display for PinnedWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pools = [("long", self.long), ("short", self.short)];
        let parts = pools.iter().filter_map(|(pool, count)| Some(format!("{pool}={}", (*count)?)));
        f.pad(&parts.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn pools_are_read_and_written() {
        let both = PinnedWorkers { long: Some(8), short: Some(20) };
        assert_eq!("short=20 long=8".parse(), Ok(both));
        assert_eq!(both.to_string(), "long=8,short=20");
        assert_eq!("long=8".parse(), Ok(PinnedWorkers { short: None, ..both }));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::none("long=0")]
    #[case::twice("long=1,long=2")]
    #[case::an_unknown_pool("controllers=2")]
    #[case::no_number("short=many")]
    #[case::too_many("short=10001")]
    fn what_names_no_pool_sizes_is_an_error(#[case] text: &str) {
        assert!(text.parse::<PinnedWorkers>().is_err());
    }
}
