//! Window of the snapshots that are about the load, and the increase of histograms in it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ServerDurations;
use crate::analysis::Evidence;
use crate::clock::Timestamp;
use crate::record::events::Event;
use crate::record::profile::Phase;
use crate::record::server_metrics::{Histogram, MetricsSnapshot};

/// Time that the server's histograms are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MetricsWindow {
    /// Time of the last snapshot before the load; `None` if the counts begin with the server.
    pub began: Option<Timestamp>,
    /// Time of the first snapshot after the load, or of the last one.
    pub ended: Timestamp,
    /// Whether the window contains the whole load.
    pub is_complete: bool,
}

/// Snapshots of the window.
pub(super) struct Snapshots<'a> {
    /// State of the counters at the beginning; `None` if they begin with the server.
    base: Option<&'a MetricsSnapshot>,
    /// Snapshots after the base, in their order.
    rest: &'a [&'a MetricsSnapshot],
    window: Option<MetricsWindow>,
}

impl<'a> Snapshots<'a> {
    /// Window from the last snapshot before the load to the first one after it.
    pub(super) fn of(evidence: &Evidence, all: &'a [&'a MetricsSnapshot]) -> Self {
        let load = Load::of(evidence);
        let before = all.iter().rposition(|one| load.is_after(one));
        // Counters of a server that was not restarted have a past.
        let before = before.or((evidence.plan.is_remote() && !all.is_empty()).then_some(0));
        let rest = &all[before.map_or(0, |before| before + 1)..];
        let after = rest.iter().position(|one| load.is_before(evidence, one));
        let rest = after.map_or(rest, |after| &rest[..=after]);
        let time = |one: &MetricsSnapshot| time_of(evidence, one);
        let base = before.and_then(|before| all.get(before)).copied();
        let window = rest.last().map(|last| MetricsWindow {
            began: base.map(time),
            ended: time(last),
            is_complete: MissingParts::of(evidence, all.iter().copied()).is_none(),
        });
        Self { base, rest, window }
    }

    pub(super) const fn span(&self) -> Option<MetricsWindow> {
        self.window
    }

    /// Increase of each histogram of a map; those without observations are left out.
    pub(super) fn increase(
        &self,
        map: impl Fn(&MetricsSnapshot) -> &BTreeMap<String, Histogram>,
    ) -> BTreeMap<String, ServerDurations> {
        let keys: BTreeSet<&String> = self.rest.iter().flat_map(|one| map(one).keys()).collect();
        let increases = keys
            .into_iter()
            .filter_map(|key| Some((key.clone(), self.increase_of_one(|one| map(one).get(key))?)));
        increases.collect()
    }

    /// Increase of one histogram over the window; `None` without observations.
    pub(super) fn increase_of_one(
        &self,
        histogram: impl Fn(&MetricsSnapshot) -> Option<&Histogram>,
    ) -> Option<ServerDurations> {
        let mut increase = Histogram::default();
        let none = Histogram::default();
        let mut before = self.base.and_then(&histogram).unwrap_or(&none);
        for snapshot in self.rest {
            // A histogram that is gone was reset: its server was restarted, and counts anew.
            let now = histogram(snapshot).unwrap_or(&none);
            if now.count > 0 {
                increase.add(&now.since(before));
            }
            before = now;
        }
        ServerDurations::of(increase)
    }
}

/// Parts of the load that the snapshots do not cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::analysis) struct MissingParts {
    pub(in crate::analysis) start: bool,
    pub(in crate::analysis) end: bool,
}

impl MissingParts {
    /// Parts that a run's snapshots do not cover. Counters of a server that was started for the run
    /// begin with the server, so that the start needs no snapshot.
    pub(super) fn of<'a>(
        evidence: &Evidence,
        mut all: impl Iterator<Item = &'a MetricsSnapshot> + Clone,
    ) -> Self {
        let load = Load::of(evidence);
        let start = evidence.plan.is_remote() && !all.clone().any(|one| load.is_after(one));
        Self { start, end: !all.any(|one| load.is_before(evidence, one)) }
    }

    fn is_none(self) -> bool {
        self == Self { start: false, end: false }
    }
}

/// Time at which the server made a snapshot, by the local clock; `None` if the server's clock was
/// not compared.
fn time_made(evidence: &Evidence, one: &MetricsSnapshot) -> Option<Timestamp> {
    match one.made {
        Some(made) if evidence.plan.is_remote() => {
            evidence.clock_offset().map(|offset| offset.to_local(made))
        }
        // Without the time of the server, that of the response: the snapshot was made for it.
        made => Some(made.unwrap_or(one.at)),
    }
}

/// Time of a snapshot by the local clock, that of the response if no other is known.
pub(in crate::analysis) fn time_of(evidence: &Evidence, one: &MetricsSnapshot) -> Timestamp {
    time_made(evidence, one).unwrap_or(one.at)
}

/// Beginning and end of the load, `None` for those that did not take place.
struct Load {
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
}

impl Load {
    fn of(evidence: &Evidence) -> Self {
        let is_load = |event: &Event| *event == Event::PhaseBegan(Phase::Load);
        let mut after = evidence.events.iter().skip_while(|logged| !is_load(&logged.event));
        let began = after.next().map(|logged| logged.at);
        let next = after.find(|logged| matches!(logged.event, Event::PhaseBegan(_)));
        Self { began, ended: next.map(|logged| logged.at) }
    }

    /// Whether the load began after the response with a snapshot.
    fn is_after(&self, one: &MetricsSnapshot) -> bool {
        self.began.is_some_and(|began| one.at <= began)
    }

    /// Whether the load ended before the server made a snapshot.
    fn is_before(&self, evidence: &Evidence, one: &MetricsSnapshot) -> bool {
        self.ended.is_some_and(|ended| time_made(evidence, one) >= Some(ended))
    }
}
