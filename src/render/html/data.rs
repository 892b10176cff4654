//! What the charts are drawn from: one block of JSON in the page, read by its scripts.

use serde::Serialize;

use super::latency::{self, Distribution};
use super::table::Table;
use crate::analysis::{ChartData, PhaseSpan, Report, rounded};
use crate::clock::Timestamp;

/// Everything that is drawn in the browser.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Data {
    /// The last moment of the axis of time, which begins at 0.
    pub(super) until: f64,
    pub(super) phases: Vec<Span>,
    pub(super) scenarios: Vec<ScenarioSpans>,
    pub(super) charts: Vec<Chart>,
    pub(super) distributions: Vec<Distribution>,
}

/// A named time, in seconds.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Span {
    pub(super) name: String,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// When a scenario was at it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ScenarioSpans {
    pub(super) name: String,
    pub(super) segments: Vec<SegmentSpan>,
}

/// When a segment was under way, in seconds.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct SegmentSpan {
    pub(super) name: &'static str,
    /// Its colour, by name.
    pub(super) look: &'static str,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// A chart over time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) unit: &'static str,
    /// Digits after the point.
    pub(super) digits: u32,
    pub(super) times: Vec<f64>,
    pub(super) series: Vec<Series>,
    pub(super) limits: Vec<Limit>,
    #[serde(skip)]
    pub(super) title: &'static str,
    #[serde(skip)]
    pub(super) note: String,
}

/// One line of a chart.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Series {
    pub(super) name: String,
    /// Its colour and dashes, by name.
    pub(super) look: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

/// A limit that lines are held against.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Limit {
    pub(super) name: String,
    pub(super) value: f64,
}

/// The axis of time of all charts: seconds since the profile, or the first phase, began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) origin: Timestamp,
    pub(super) end: Timestamp,
}

/// Rows of the table behind a chart at the most.
const ROWS: usize = 40;

impl Axis {
    /// `None` for a run of which no moment is known.
    pub(super) fn of(report: &Report, data: &ChartData) -> Option<Self> {
        let samples = data.timeline.span;
        let phases = || report.phases.iter();
        let segments = || report.scenarios.iter().flat_map(|scenario| &scenario.segments);
        let starts = samples.map(|(first, _)| first).into_iter();
        let starts = starts.chain(phases().map(|phase| phase.began));
        let ends = samples.map(|(_, last)| last).into_iter();
        let ends = ends
            .chain(phases().map(|phase| phase.ended))
            .chain(segments().map(|segment| segment.ended));
        Some(Self { origin: starts.min()?, end: ends.max()? })
    }

    /// A moment, in seconds with two digits.
    pub(super) fn seconds(self, at: Timestamp) -> f64 {
        rounded(at.since(self.origin).as_secs_f64(), 2)
    }

    pub(super) fn phases(self, spans: &[PhaseSpan]) -> Vec<Span> {
        let span = |span: &PhaseSpan| Span {
            name: span.phase.name().to_owned(),
            from: self.seconds(span.began),
            to: self.seconds(span.ended),
        };
        spans.iter().map(span).collect()
    }

    pub(super) fn scenarios(self, report: &Report) -> Vec<ScenarioSpans> {
        let with_segments =
            report.scenarios.iter().filter(|scenario| !scenario.segments.is_empty());
        with_segments
            .map(|scenario| ScenarioSpans {
                name: scenario.id.to_string(),
                segments: scenario
                    .segments
                    .iter()
                    .map(|segment| SegmentSpan {
                        name: scenario.start_name(segment),
                        look: latency::look(segment.start),
                        from: self.seconds(segment.began),
                        to: self.seconds(segment.ended),
                    })
                    .collect(),
            })
            .collect()
    }
}

impl Chart {
    /// The chart as a table: the highest value of each series in so many stretches of
    /// time.
    pub(super) fn table(&self) -> Table {
        let (first, last) = match (self.times.first(), self.times.last()) {
            (Some(first), Some(last)) => (*first, *last),
            _ => return Table::default(),
        };
        let points_each = self.times.len().div_ceil(ROWS).max(1);
        let count = self.times.len().div_ceil(points_each);
        let mut headings = vec!["from".to_owned()];
        headings.extend(self.series.iter().map(|series| series.name.clone()));
        let mut table = Table {
            caption: format!(
                "{}, in {}: the highest of each of {count} stretches of time between {} and {}",
                self.title,
                self.unit,
                clock(first),
                clock(last)
            ),
            headings,
            words: 1,
            ..Table::default()
        };
        for from in (0..self.times.len()).step_by(points_each) {
            let to = (from + points_each).min(self.times.len());
            let highest = |series: &Series| {
                let values = series.values[from..to].iter().flatten().copied();
                values.reduce(f64::max).map_or_else(
                    || "–".to_owned(),
                    |value| format!("{value:.digits$}", digits = self.digits as usize),
                )
            };
            let cells = self.series.iter().map(highest);
            table.row(std::iter::once(clock(self.times[from])).chain(cells));
        }
        table
    }
}

/// A time on the axis: `3:05`.
pub(super) fn clock(seconds: f64) -> String {
    let minutes = (seconds / 60.0).floor();
    format!("{minutes:.0}:{:04.1}", seconds - minutes * 60.0)
}
