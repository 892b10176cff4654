//! Time series of the load for the HTML report's charts: iterations that start and that are active.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Evidence;
use super::series::windows;
use super::timeline::{Line, Quantity, Subject, TimeSeries};
use crate::clock::Timestamp;
use crate::record::outcome::{Activity, ScenarioOutcome};
use crate::scenario::ScenarioKind;

/// Kinds of scenarios with lines. The health probe runs at a fixed rate.
const KINDS: [ScenarioKind; 3] = [ScenarioKind::Api, ScenarioKind::Cli, ScenarioKind::Hold];

/// Iterations of all scenarios of a kind.
#[derive(Default)]
struct Load {
    /// Number of iterations that started, by the start of the window.
    started: BTreeMap<Timestamp, u64>,
    /// Number of active iterations at the end of the window, by its start.
    in_flight: BTreeMap<Timestamp, u64>,
    /// Length of a window.
    window: Duration,
}

/// Time series of the load; none if no scenario recorded its activity.
pub(super) fn assemble(evidence: &Evidence) -> Vec<TimeSeries> {
    let outcomes = || evidence.outcomes.values();
    let loads: Vec<(ScenarioKind, Load)> =
        KINDS.into_iter().filter_map(|kind| Some((kind, Load::of(kind, outcomes())?))).collect();
    let times = times(&loads);
    if times.is_empty() {
        return Vec::new();
    }
    let series = |quantity: Quantity, of: fn(&Load, Timestamp) -> f64| TimeSeries {
        quantity,
        times: times.clone(),
        samples_each: 1,
        lines: loads.iter().map(|(kind, load)| line(*kind, load, &times, quantity, of)).collect(),
    };
    let starts = |load: &Load, at| {
        // A file may have a window of no length.
        let seconds = load.window.as_secs_f64().max(f64::MIN_POSITIVE);
        as_number(load.started.get(&at).copied()) / seconds
    };
    let in_flight = |load: &Load, at| as_number(load.in_flight.get(&at).copied());
    vec![series(Quantity::InFlight, in_flight), series(Quantity::Starts, starts)]
}

/// Starts of all windows, and of one before and one after them: a burst that takes one window is
/// a spike then, and not a dot.
fn times(loads: &[(ScenarioKind, Load)]) -> Vec<Timestamp> {
    let all = || loads.iter().flat_map(|(_, load)| load.started.keys().copied());
    let window = loads.iter().map(|(_, load)| load.window).max().unwrap_or_default();
    let micros = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
    let before = all().min().and_then(|first| first.as_micros().checked_sub(micros));
    let before = before.map(Timestamp::from_micros);
    let after = all().max().map(|last| last.plus(window));
    BTreeSet::from_iter(all().chain(before).chain(after)).into_iter().collect()
}

/// Line of a kind. Before its first window and after its last, a kind has no iterations.
fn line(
    kind: ScenarioKind,
    load: &Load,
    times: &[Timestamp],
    quantity: Quantity,
    of: fn(&Load, Timestamp) -> f64,
) -> Line {
    let values = times.iter().map(|at| Some(quantity.rounded(of(load, *at)))).collect();
    Line { subject: Subject::Kind(kind), values }
}

impl Load {
    /// Load of a kind; `None` without scenarios that recorded their activity.
    fn of<'a>(
        kind: ScenarioKind,
        outcomes: impl Iterator<Item = &'a ScenarioOutcome>,
    ) -> Option<Self> {
        let of_kind = outcomes.filter(|outcome| outcome.scenario.kind() == kind);
        let activities: Vec<&Activity> =
            of_kind.filter_map(|outcome| outcome.activity.as_ref()).collect();
        // All scenarios of a run have windows of one length.
        let window = activities.iter().map(|activity| activity.window).max()?;
        let mut load = Self { window, ..Self::default() };
        for (window, in_flight) in activities.into_iter().flat_map(windows) {
            let started = load.started.entry(window.at).or_default();
            *started = started.saturating_add(window.started);
            let active = load.in_flight.entry(window.at).or_default();
            *active = active.saturating_add(in_flight);
        }
        Some(load)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of iterations are far below 2^52")]
fn as_number(count: Option<u64>) -> f64 {
    count.unwrap_or(0) as f64
}
