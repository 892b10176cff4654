//! Latencies and errors: percentiles on a logarithmic axis, tables, distributions, and errors by
//! type.

use std::cmp::Reverse;
use std::time::Duration;

use serde::Serialize;

use super::table::Table;
use crate::analysis::{self, ChartData, Report, ScenarioReport, SegmentReport, Start, Stats};
use crate::metric::ScenarioMetric;
use crate::render::format::{seconds, status};
use crate::render::table::{self, Cell};
use crate::render::tables::latency::{self, SegmentNames};
use crate::render::tables::thresholds;

/// Latency distribution of a scenario's iterations, or of one of their steps.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Distribution {
    scenario: String,
    /// Name of the step, or `whole iteration`.
    part: String,
    segments: Vec<SegmentCounts>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct SegmentCounts {
    name: String,
    /// Name of the colour.
    look: &'static str,
    /// Buckets and their counts. A bucket is a tenth of a decade of microseconds.
    counts: Vec<(u32, u64)>,
}

/// Row of the chart of percentiles, with positions as percentages of the axis.
#[derive(Debug)]
pub(super) struct Strip {
    pub(super) scenario: String,
    pub(super) segment: String,
    /// Name of the colour.
    pub(super) look: &'static str,
    /// Figures of the row as text, for the tooltip and for screen readers.
    pub(super) figures: String,
    pub(super) min: String,
    pub(super) p50: String,
    pub(super) p90: Option<String>,
    pub(super) p95: Option<String>,
    pub(super) p99: Option<String>,
    pub(super) max: String,
}

/// Chart of percentiles.
#[derive(Debug, Default)]
pub(super) struct Strips {
    pub(super) rows: Vec<Strip>,
    /// Powers of ten on the axis: position and label.
    pub(super) decades: Vec<(String, String)>,
}

/// Name of a segment's colour in all charts.
pub(super) const fn look(start: Start) -> &'static str {
    match start {
        Start::Cold => "cold",
        Start::Warm => "warm",
        Start::Unknown => "unknown",
    }
}

/// Legend of the segments in the report: names of colours, and their meanings.
pub(super) fn looks(report: &Report) -> Vec<(&'static str, String)> {
    const ALL: [Start; 3] = [Start::Cold, Start::Warm, Start::Unknown];
    let occurs = |start| segments(report).any(|(_, segment)| segment.start == start);
    let names = SegmentNames::of(report);
    let present = ALL.into_iter().filter(|start| occurs(*start));
    present.map(|start| (look(start), names.meaning(start))).collect()
}

type Segment<'a> = (&'a ScenarioReport, &'a SegmentReport);

fn segments(report: &Report) -> impl Iterator<Item = Segment<'_>> {
    report
        .scenarios
        .iter()
        .flat_map(|scenario| scenario.segments.iter().map(move |segment| (scenario, segment)))
}

pub(super) fn strips(report: &Report) -> Strips {
    let stats = || segments(report).filter_map(|(_, segment)| segment.iteration_duration);
    let (Some(shortest), Some(longest)) =
        (stats().map(|stats| stats.min).min(), stats().map(|stats| stats.max).max())
    else {
        return Strips::default();
    };
    // At least 1 µs, since the logarithm of 0 is infinite.
    let log = |duration: Duration| duration.as_secs_f64().max(1e-6).log10();
    // Whole decades, at least one, so that the axis is never empty.
    let from = log(shortest).floor();
    let to = log(longest).ceil().max(from + 1.0);
    let place = |exponent: f64| format!("{:.2}%", (exponent - from) / (to - from) * 100.0);
    let at = |duration: Duration| place(log(duration));
    let row = |(scenario, segment): Segment<'_>| {
        let stats = segment.iteration_duration?;
        Some(Strip {
            scenario: scenario.id.to_string(),
            segment: scenario.segment_name(segment).to_owned(),
            look: look(segment.start),
            figures: figures(&stats),
            min: at(stats.min),
            p50: at(stats.p50),
            p90: stats.shown(ScenarioMetric::P90).map(at),
            p95: stats.shown(ScenarioMetric::P95).map(at),
            p99: stats.shown(ScenarioMetric::P99).map(at),
            max: at(stats.max),
        })
    };
    let mut decades = Vec::new();
    let mut exponent = from;
    while exponent <= to {
        decades.push((place(exponent), power_of_ten(exponent)));
        exponent += 1.0;
    }
    Strips { rows: segments(report).filter_map(row).collect(), decades }
}

/// Label of a power of ten of seconds: `10 ms`, `100 s`.
fn power_of_ten(exponent: f64) -> String {
    match exponent {
        e if e < -3.0 => format!("{:.0} µs", 10_f64.powf(e + 6.0)),
        e if e < 0.0 => format!("{:.0} ms", 10_f64.powf(e + 3.0)),
        e => format!("{:.0} s", 10_f64.powf(e)),
    }
}

fn figures(stats: &Stats) -> String {
    let shown = [
        ScenarioMetric::Min,
        ScenarioMetric::P50,
        ScenarioMetric::P90,
        ScenarioMetric::P95,
        ScenarioMetric::P99,
        ScenarioMetric::P999,
        ScenarioMetric::Max,
    ];
    let figure = |statistic: ScenarioMetric| {
        let latency = stats.shown(statistic)?;
        Some(format!("{} {} s", statistic.row().name, seconds(latency)))
    };
    shown.into_iter().filter_map(figure).collect::<Vec<_>>().join(", ")
}

/// Iterations of every segment; `None` if none ran.
pub(super) fn iterations(report: &Report) -> Option<Table> {
    let caption = "Latency per iteration, from scheduled start to last response, in seconds";
    Some(Table::showing(caption, latency::iterations(report)?))
}

/// Steps of all segments; `None` if no iteration has more than one step.
pub(super) fn steps(report: &Report) -> Option<Table> {
    let segment = SegmentNames::of(report).heading();
    let mut headings = vec!["scenario", segment, "step", "count"];
    headings.extend(latency::headings());
    let mut table = table::Table::new(&headings, 3);
    for (scenario, segment) in segments(report).filter(|(_, segment)| segment.steps.len() > 1) {
        for (step, stats) in &segment.steps {
            let names = [
                scenario.id.to_string(),
                scenario.segment_name(segment).to_owned(),
                step.clone(),
                stats.count.to_string(),
            ];
            table.row(names.into_iter().map(Cell::from).chain(latency::in_seconds(stats)));
        }
    }
    (!table.is_empty()).then(|| Table::showing("Latency per step, in seconds", table))
}

/// Thresholds; `None` if none are set.
pub(super) fn thresholds(report: &Report) -> Option<Table> {
    Some(Table::showing("Thresholds", thresholds::all(report)?))
}

/// Errors and expected errors by type; `None` if there are none.
pub(super) fn errors(report: &Report) -> Option<Table> {
    let mut table = Table::new(
        "Errors by type, with the first message of each",
        &["type", "status", "scenario", "step", "HTTP", "message", "count"],
        6,
    );
    let mut kinds: Vec<_> = report
        .scenarios
        .iter()
        .flat_map(|scenario| scenario.failures.iter().map(move |kind| (scenario, kind)))
        .collect();
    // Errors come before expected errors, and frequent types before rare ones.
    kinds.sort_by_key(|(_, kind)| (!kind.is_error(), Reverse(kind.count)));
    for (scenario, kind) in kinds {
        let example = &kind.example;
        table.row([
            example.error_type.clone(),
            status(kind),
            scenario.id.to_string(),
            example.step.clone(),
            example.status.map_or_else(|| "no response".to_owned(), |code| code.to_string()),
            example.message.clone(),
            kind.count.to_string(),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Latency distributions of all scenarios and steps.
pub(super) fn distributions(data: &ChartData) -> Vec<Distribution> {
    let counts = |segment: &analysis::SegmentCounts| SegmentCounts {
        name: segment.name.clone(),
        look: look(segment.start),
        counts: segment.counts.clone(),
    };
    let distribution = |one: &analysis::Distribution| Distribution {
        scenario: one.scenario.to_string(),
        part: one.step.clone().unwrap_or_else(|| "whole iteration".to_owned()),
        segments: one.segments.iter().map(counts).collect(),
    };
    data.distributions.iter().map(distribution).collect()
}
