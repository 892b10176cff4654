//! Exactness of a class's peak: exact, or a lower bound with an estimated maximum.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recording::Recording;
use crate::record::profile::{Ending, ProcessRecord, ProfilerLevel};
use crate::units::ByteSize;

/// Exactness of the measured peak of a process class.
///
/// The estimated maximum assumes that no process grew faster between its last reading and its
/// end than the fastest growth measured of any process of the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Exactness {
    /// Exact peak.
    Exact,
    /// Lower bound, with the estimated maximum of the true peak.
    AtMost(ByteSize),
    /// Lower bound without an estimate: a process was never read or had pages in swap, no
    /// growth was measured, or the process table is older than the last sample.
    Unbounded,
}

/// Exactness of the largest peak among processes of one class.
pub(super) fn of(recording: Recording<'_>, records: &[&ProcessRecord]) -> Exactness {
    // The use of swap between two readings is unknown, so no estimate bounds the peak.
    if !recording.has_current_table() || records.iter().any(|record| record.swapped.is_some()) {
        return Exactness::Unbounded;
    }
    let header = recording.header();
    // With sampled RSS, a process may have been larger between any two samples.
    let between = header
        .filter(|header| header.level == ProfilerLevel::SampledRss)
        .map(|header| header.interval);
    let growth = records.iter().filter_map(|record| record.fastest_growth).max();
    let mut exactness = Exactness::Exact;
    for record in records {
        let unseen = match (record.ending, between) {
            (Ending::Alive | Ending::Recorded, None) => continue,
            (Ending::Alive | Ending::Recorded, between) => between,
            (Ending::Unread { unseen }, between) => {
                unseen.map(|unseen| unseen.max(between.unwrap_or_default()))
            }
        };
        let (Some(peak), Some(unseen), Some(growth)) = (record.peak, unseen, growth) else {
            return Exactness::Unbounded;
        };
        // Growth is in bytes per second.
        let grown = u128::from(growth.as_u64()).saturating_mul(unseen.as_micros()) / 1_000_000;
        let grown = u64::try_from(grown).unwrap_or(u64::MAX);
        let possible = ByteSize(peak.as_u64().saturating_add(grown));
        exactness = match exactness {
            Exactness::AtMost(other) => Exactness::AtMost(other.max(possible)),
            _ => Exactness::AtMost(possible),
        };
    }
    match exactness {
        // A process with an exact peak may be larger than all estimates.
        Exactness::AtMost(possible) => {
            let peak = records.iter().filter_map(|record| record.peak).max();
            Exactness::AtMost(possible.max(peak.unwrap_or_default()))
        }
        other => other,
    }
}
