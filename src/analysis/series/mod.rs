//! Series of a run for other tools, such as Grafana: one point for each time, subject and metric.
//!
//! Memory, processes and the machine have the points of the charts, which keep every extreme.
//! Scenarios have a point for each window of their activity, the server's own metrics one for each
//! snapshot. What was not measured has no point.

mod metrics;
mod profile;
mod scenarios;

pub(super) use scenarios::windows;

use std::borrow::Cow;

use serde::Serialize;

use super::Evidence;
use super::readings_timeline;
use super::timeline::{self, TimeSeries, Timeline};
use crate::clock::Timestamp;
use crate::record::events::Event;
use crate::record::profile::Phase;

/// Series of a run.
#[derive(Debug)]
pub struct RunSeries<'a> {
    evidence: &'a Evidence,
    /// Time at which the load began; `None` if it did not.
    load_began: Option<Timestamp>,
    timeline: Timeline,
    readings: Vec<TimeSeries>,
    available_memory: Option<TimeSeries>,
}

/// Point of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'a> {
    /// Time of the point.
    pub at: Timestamp,
    /// Seconds since the load began, negative before; `None` if it did not begin.
    pub seconds: Option<f64>,
    /// Origin of the value.
    pub source: Source,
    /// Process class, scenario, or name in the server's metrics.
    pub subject: Cow<'a, str>,
    /// Name of the metric.
    pub metric: &'static str,
    /// Unit of the value.
    pub unit: Unit,
    /// Value.
    pub value: f64,
}

/// Origin of a point's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Profile of the server's processes.
    Profile,
    /// Profile of the machine.
    Machine,
    /// Activity of a scenario or of the health probe.
    Scenario,
    /// The server's own metrics.
    ServerMetrics,
}

/// Unit of a point's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Number of processes, iterations or requests.
    #[serde(rename = "count")]
    Count,
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// 1024^2 bytes.
    #[serde(rename = "MiB")]
    Mib,
    /// 1024^3 bytes.
    #[serde(rename = "GiB")]
    Gib,
    /// Percent of all CPUs.
    #[serde(rename = "%")]
    Percent,
}

/// Value with its subject, without its time.
type Value<'a> = (Source, Cow<'a, str>, &'static str, Unit, f64);

impl<'a> RunSeries<'a> {
    /// Series of the run with this evidence.
    pub fn of(evidence: &'a Evidence) -> Self {
        let began = |logged: &&crate::record::events::LoggedEvent| {
            logged.event == Event::PhaseBegan(Phase::Load)
        };
        Self {
            evidence,
            load_began: evidence.events.iter().find(began).map(|logged| logged.at),
            timeline: timeline::assemble(evidence),
            readings: readings_timeline::assemble(evidence),
            available_memory: timeline::available_memory(evidence),
        }
    }

    /// Points, made one by one: source by source, each in order of time.
    pub fn points(&self) -> impl Iterator<Item = Point<'_>> {
        let charts = self.timeline.series.iter().chain(&self.readings).flat_map(profile::of_chart);
        let available = self.available_memory.iter().flat_map(profile::of_available_memory);
        let snapshots = profile::of_phase_ends(self.evidence);
        let scenarios = self.evidence.outcomes.values().flat_map(scenarios::of_outcome);
        let metrics = metrics::of_snapshots(self.evidence);
        let all = charts.chain(available).chain(snapshots).chain(scenarios).chain(metrics);
        all.map(|(at, (source, subject, metric, unit, value))| {
            let seconds = self.load_began.map(|began| seconds_since(at, began));
            Point { at, seconds, source, subject, metric, unit, value }
        })
    }
}

/// Seconds from one time to another, negative if that is earlier.
fn seconds_since(at: Timestamp, began: Timestamp) -> f64 {
    let later = at.since(began).as_secs_f64();
    if at >= began { later } else { -began.since(at).as_secs_f64() }
}
