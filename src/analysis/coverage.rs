//! What of the run the profile covers: a pass needs all of it.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::record::profile::{Ending, ProfileLine};
use crate::units;

/// What of the run the profile covers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Coverage {
    /// The server could be profiled at all.
    pub profiled: bool,
    /// The profiler was there from the baseline to the end of the cooldown.
    pub from_baseline_to_cooldown: bool,
    /// It ended in good order; one on the server's machine may go on after the run.
    pub ended_well: bool,
    /// Times in which it was silent for longer than the plan allows.
    pub gaps: Vec<Gap>,
    /// Processes that exited without a final reading, by class.
    pub unread_exits: BTreeMap<ProcessClass, u32>,
    /// Times at which the kernel had more to tell than it could keep.
    pub dropped_events: u64,
}

/// A silence of the profiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gap {
    /// Its last sign of life.
    pub from: Timestamp,
    /// How long there was no other.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub length: Duration,
}

pub(super) fn assemble(evidence: &Evidence) -> Coverage {
    let (began, ended) = (evidence.phases_began(), evidence.phases_ended());
    let limit = evidence.plan.validity.profiler_gap;
    let first = evidence.ticks().next().map(|tick| tick.at);
    let last = evidence.ticks().last().map(|tick| tick.at);
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
            false => evidence.recording().ended_well(),
            // It may go on after the run, once its processes were read after it.
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

/// Silences between the first phase's beginning and the last one's end. Taking
/// proportional memory takes its time, during which the profiler is at work and
/// the load is over: that is no silence, but what is before and after it may be.
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
            ProfileLine::Sample(tick) => (tick.at, tick.at),
            ProfileLine::Snapshot(snapshot) => (snapshot.at, snapshot.until),
            _ => continue,
        };
        if let Some(from) = previous {
            let length = at.since(from);
            let inside =
                began.is_some_and(|began| at > began) && ended.is_none_or(|ended| from < ended);
            if length > limit && inside {
                gaps.push(Gap { from, length });
            }
        }
        previous = Some(until);
    }
    gaps
}
