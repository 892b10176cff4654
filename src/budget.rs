//! What a budget limits, and to how much: the words of `--budget` and `[budgets]`.
//!
//! An amount carries its unit, so that nothing holds a size against a count.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::class::{ProcessClass, UnknownClass};
use crate::units::{ByteSize, QuantityError, as_mib, parse_size};

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Budget {
    /// What is limited.
    pub subject: BudgetSubject,
    /// To how much; `None` is the constant of the SkyPilot under test.
    pub limit: Option<Amount>,
}

/// What a limit can be set for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum BudgetSubject {
    /// The peak of the largest process of a class.
    Class(ProcessClass),
    /// The largest sum of resident memory over the server's processes.
    TreeRss,
    /// The largest proportional memory of the server's processes at a phase's end.
    TreePss,
    /// The proportional memory that the server holds after the drain, beyond what it
    /// held at the end of the baseline.
    Growth,
    /// The most threads of all the server's processes at one tick.
    Threads,
    /// Processes of the server that have ended by the end of the drain, and that no
    /// parent has waited for.
    Zombies,
    /// Processes that a stop of the server left behind.
    LeakedProcesses,
}

impl BudgetSubject {
    /// What is limited in the server as a whole, and not in the processes of a class.
    pub const OF_THE_WHOLE: [Self; 6] = [
        Self::TreeRss,
        Self::TreePss,
        Self::Growth,
        Self::Threads,
        Self::Zombies,
        Self::LeakedProcesses,
    ];

    /// Everything that a limit can be set for.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        ProcessClass::ALL.into_iter().map(Self::Class).chain(Self::OF_THE_WHOLE)
    }

    /// The name used in flags, files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Class(class) => class.name(),
            Self::TreeRss => "tree-rss",
            Self::TreePss => "tree-pss",
            Self::Growth => "growth",
            Self::Threads => "threads",
            Self::Zombies => "zombies",
            Self::LeakedProcesses => "leftovers",
        }
    }

    /// What it is measured in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Class(_) | Self::TreeRss | Self::TreePss | Self::Growth => Unit::Size,
            Self::Threads | Self::Zombies | Self::LeakedProcesses => Unit::Count,
        }
    }
}

impl fmt::Display for BudgetSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for BudgetSubject {
    type Err = UnknownClass;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Self::OF_THE_WHOLE.into_iter().find(|subject| subject.name() == text) {
            Some(subject) => Ok(subject),
            None => text.parse().map(Self::Class),
        }
    }
}

/// What an amount is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Size,
    /// Things.
    Count,
}

impl Unit {
    /// The word for an amount of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Count => "count",
        }
    }

    /// An amount of it, as it is typed.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Size => "300MiB",
            Self::Count => "500",
        }
    }
}

/// How much, in its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// So many bytes.
    Size(ByteSize),
    /// So many things.
    Count(u64),
}

impl Amount {
    /// What it is counted in.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Size(_) => Unit::Size,
            Self::Count(_) => Unit::Count,
        }
    }

    /// The share of `whole` that it is; `None` when the units differ or there is no
    /// whole.
    #[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^52")]
    pub fn share_of(self, whole: Self) -> Option<f64> {
        let (part, whole) = match (self, whole) {
            (Self::Size(part), Self::Size(whole)) => (part.as_u64(), whole.as_u64()),
            (Self::Count(part), Self::Count(whole)) => (part, whole),
            _ => return None,
        };
        (whole > 0).then(|| part as f64 / whole as f64)
    }
}

/// Amounts of different units are neither equal nor is one of them more.
impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Size(one), Self::Size(other)) => Some(one.cmp(other)),
            (Self::Count(one), Self::Count(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

/// Sizes in MiB throughout: figures that are compared should look alike.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => f.pad(&format!("{:.1} MiB", as_mib(*size))),
            Self::Count(count) => f.pad(&count.to_string()),
        }
    }
}

/// A number with a unit is a size, one without is a count.
impl FromStr for Amount {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(count) = text.trim().parse() {
            return Ok(Self::Count(count));
        }
        parse_size(text).map(Self::Size).map_err(|error| QuantityError {
            expected: "a size, such as `100MiB` or `0.3GiB` (units: B, KB, KiB, MB, MiB, GB, GiB, \
                       TB, TiB), nor a count, such as `500`",
            ..error
        })
    }
}

impl From<ByteSize> for Amount {
    fn from(size: ByteSize) -> Self {
        Self::Size(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_found_by_its_name() {
        for subject in BudgetSubject::all() {
            assert_eq!(subject.name().parse::<BudgetSubject>().unwrap(), subject);
        }
        assert!("treepss".parse::<BudgetSubject>().is_err());
    }

    #[test]
    fn amounts_of_one_unit_are_compared() {
        assert!(Amount::Count(3) > Amount::Count(2));
        assert!(Amount::from(ByteSize::mib(2)) <= ByteSize::mib(2).into());
        assert_eq!(Amount::Count(1).share_of(Amount::Count(4)), Some(0.25));
    }

    #[test]
    fn a_size_is_not_compared_with_a_count() {
        let (size, count) = (Amount::Size(ByteSize(5)), Amount::Count(5));
        assert_ne!(size, count);
        assert_eq!(size.partial_cmp(&count), None);
        assert_eq!(size.share_of(count), None);
    }

    #[test]
    fn nothing_is_a_share_of_nothing() {
        assert_eq!(Amount::Count(0).share_of(Amount::Count(0)), None);
    }
}
