//! Coverage of a run by its profile. A pass requires complete coverage.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::record::profile::{Ending, ProfileLine};
use crate::units;

/// Coverage of a run by its profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Coverage {
    /// Whether the plan requires a profile of the server, or there is one.
    pub profiled: bool,
    /// Whether there are samples from the start of the baseline to the end of the cooldown.
    pub from_baseline_to_cooldown: bool,
    /// Whether the profiler ended cleanly; for a profile from the server's machine, whether its
    /// processes were read at the end of the cooldown or later.
    pub ended_well: bool,
    /// Sampling gaps longer than the plan's `profiler-gap`.
    pub gaps: Vec<Gap>,
    /// Number of processes that exited without a final reading, by class.
    pub unread_exits: BTreeMap<ProcessClass, u32>,
    /// Number of times that the kernel dropped process events since the profiler's queue was
    /// full.
    pub dropped_events: u64,
}

/// Sampling gap: a time without samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gap {
    /// Time of the last sample before the gap, or of the end of a snapshot.
    pub from: Timestamp,
    /// Length of the gap, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub length: Duration,
}

pub(super) fn assemble(evidence: &Evidence) -> Coverage {
    let (began, ended) = (evidence.phases_began(), evidence.phases_ended());
    let limit = evidence.plan.validity.profiler_gap;
    let first = evidence.samples().next().map(|sample| sample.at);
    let last = evidence.samples().last().map(|sample| sample.at);
    // A delay of up to `profiler-gap` is no gap: neither between samples nor at both ends.
    let covered = match (first, last, began, ended) {
        (Some(first), Some(last), Some(began), Some(ended)) => {
            first <= began.plus(limit) && last.plus(limit) >= ended
        }
        _ => false,
    };
    let records = evidence.processes.as_ref().map_or(&[][..], |table| &table.processes);
    let mut unread_exits = BTreeMap::new();
    for record in records.iter().filter(|record| matches!(record.ending, Ending::Unread { .. })) {
        *unread_exits.entry(record.class).or_insert(0) += 1;
    }
    Coverage {
        profiled: evidence.is_profiled(),
        from_baseline_to_cooldown: covered,
        ended_well: match evidence.has_server_profile() {
            false => evidence.recording().ended_cleanly(),
            // A profiler on the server's machine may outlast the run, so no footer is required.
            true => {
                let read = records.iter().filter_map(|record| record.last_read).max();
                ended.is_some_and(|ended| read.is_some_and(|read| read.plus(limit) >= ended))
            }
        },
        gaps: gaps(evidence, limit, began, ended),
        unread_exits,
        dropped_events: evidence.processes.as_ref().map_or(0, |table| table.dropped_events),
    }
}

/// Sampling gaps between the start of the first phase and the end of the last one. Reading a
/// snapshot (PSS) takes time in which the profiler takes no samples and no load runs: that time
/// is no gap, but the times before and after it may be.
fn gaps(
    evidence: &Evidence,
    limit: Duration,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut previous: Option<Timestamp> = None;
    for line in &evidence.profile {
        let (at, until) = match line {
            ProfileLine::Sample(sample) => (sample.at, sample.at),
            ProfileLine::Snapshot(snapshot) => (snapshot.at, snapshot.until),
            _ => continue,
        };
        if let Some(from) = previous {
            let length = at.since(from);
            // A run that ended early has no end of its phases: all gaps after their start count.
            let inside =
                began.is_some_and(|began| at > began) && ended.is_none_or(|ended| from < ended);
            // A time whose samples were left out of a long profile is no gap.
            let is_thinned = matches!(line, ProfileLine::Sample(sample) if sample.left_out > 0);
            if length > limit && inside && !is_thinned {
                gaps.push(Gap { from, length });
            }
        }
        previous = Some(until);
    }
    gaps
}
