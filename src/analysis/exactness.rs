//! Whether a class's peak is the true one, and how far from it it may be if not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recording::Recording;
use crate::record::profile::{Ending, ProcessRecord, ProfilerLevel};
use crate::units::ByteSize;

/// How far a class's true peak may be from the one that was measured.
///
/// The rule: in the time for which nobody looked, no process grew faster than the
/// fastest growth that was seen of any process of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Exactness {
    /// It is the true one.
    Exact,
    /// It is a lower bound, and the true one is at most this by the rule.
    AtMost(ByteSize),
    /// It is a lower bound, and nothing can be said of the true one: a process was
    /// never read, had pages in swap, no growth was seen to judge by, or the list of
    /// processes is from before the profile's end.
    Unbounded,
}

/// How exact the largest peak of these processes is.
pub(super) fn of(recording: Recording<'_>, records: &[&ProcessRecord]) -> Exactness {
    if !recording.lists_processes() || records.iter().any(|record| record.swapped.is_some()) {
        return Exactness::Unbounded;
    }
    let header = recording.header();
    // Between two samples of resident memory a process may have been larger.
    let between = header
        .filter(|header| header.level == ProfilerLevel::SampledRss)
        .map(|header| header.interval);
    let growth = records.iter().filter_map(|record| record.fastest_growth).max();
    let mut most = Exactness::Exact;
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
        let grown = u128::from(growth.as_u64()).saturating_mul(unseen.as_micros()) / 1_000_000;
        let grown = u64::try_from(grown).unwrap_or(u64::MAX);
        let could_be = ByteSize(peak.as_u64().saturating_add(grown));
        most = match most {
            Exactness::AtMost(other) => Exactness::AtMost(other.max(could_be)),
            _ => Exactness::AtMost(could_be),
        };
    }
    match most {
        // The largest may be one whose peak is exact.
        Exactness::AtMost(could_be) => {
            let peak = records.iter().filter_map(|record| record.peak).max();
            Exactness::AtMost(could_be.max(peak.unwrap_or_default()))
        }
        other => other,
    }
}
