//! Distribution of a figure over the processes of a class.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::ByteSize;

/// Distribution of sizes over processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spread {
    /// Number of processes.
    pub processes: u32,
    /// Median: at least half of the processes have no more.
    pub p50: ByteSize,
    /// Size that at least 90 % of the processes do not exceed.
    pub p90: ByteSize,
    /// Largest size.
    pub max: ByteSize,
}

impl Spread {
    /// Distribution of these sizes; `None` without any.
    pub(super) fn of(sizes: impl Iterator<Item = ByteSize>) -> Option<Self> {
        let mut sizes: Vec<ByteSize> = sizes.collect();
        sizes.sort_unstable();
        Some(Self {
            processes: u32::try_from(sizes.len()).unwrap_or(u32::MAX),
            p50: percentile(&sizes, 50)?,
            p90: percentile(&sizes, 90)?,
            max: *sizes.last()?,
        })
    }
}

/// Smallest element that `percent` percent of all do not exceed (nearest rank).
fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_sizes_of_processes() {
        let spread = |sizes: &[u64]| {
            let spread = Spread::of(sizes.iter().map(|size| ByteSize(*size)))?;
            Some([spread.p50.as_u64(), spread.p90.as_u64(), spread.max.as_u64()])
        };
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[7]), Some([7, 7, 7]));
        assert_eq!(spread(&[9, 1]), Some([1, 9, 9]));
        assert_eq!(spread(&[3, 1, 2, 5, 4, 10, 9, 8, 7, 6]), Some([5, 9, 10]));
    }
}
