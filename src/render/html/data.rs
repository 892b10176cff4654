//! Data of the charts: one block of JSON in the page, read by its scripts.

use serde::Serialize;

use super::latency::{self, Distribution};
use super::table::Table;
use crate::analysis::{ChartData, PhaseSpan, Report, rounded};
use crate::clock::Timestamp;

/// Data that the scripts draw in the browser.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Data {
    /// End of the time axis in seconds; its start is 0.
    pub(super) until: f64,
    pub(super) phases: Vec<Span>,
    pub(super) scenarios: Vec<ScenarioSpans>,
    pub(super) charts: Vec<Chart>,
    pub(super) distributions: Vec<Distribution>,
}

/// Named time span on the time axis, in seconds.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Span {
    pub(super) name: String,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// Time spans of a scenario's segments.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ScenarioSpans {
    pub(super) name: String,
    pub(super) segments: Vec<SegmentSpan>,
}

/// Time span of a segment on the time axis, in seconds.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct SegmentSpan {
    pub(super) name: String,
    /// Name of the colour.
    pub(super) look: &'static str,
    pub(super) from: f64,
    pub(super) to: f64,
}

/// Chart over time.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) unit: &'static str,
    /// Number of decimals.
    pub(super) digits: u32,
    pub(super) times: Vec<f64>,
    pub(super) series: Vec<Series>,
    pub(super) limits: Vec<Limit>,
    #[serde(skip)]
    pub(super) title: &'static str,
    #[serde(skip)]
    pub(super) note: String,
}

/// Line of a chart.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Series {
    pub(super) name: String,
    /// Name of the colour and the line style.
    pub(super) look: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

/// Limit, drawn as a horizontal line.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Limit {
    pub(super) name: String,
    pub(super) value: f64,
}

/// Time axis of all charts, from the first sample or phase to the last sample, phase or segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) origin: Timestamp,
    pub(super) end: Timestamp,
}

/// Maximum number of rows in the table behind a chart.
const ROWS: usize = 40;

impl Axis {
    /// Time axis of a run; `None` without samples and phases.
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

    /// Time on the axis, in seconds with two decimals.
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
                        name: scenario.segment_name(segment).to_owned(),
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
    /// Chart as a table: the maximum of each series in at most [`ROWS`] time intervals.
    pub(super) fn table(&self) -> Table {
        let (first, last) = match (self.times.first(), self.times.last()) {
            (Some(first), Some(last)) => (*first, *last),
            _ => return Table::default(),
        };
        let points_each = self.times.len().div_ceil(ROWS).max(1);
        // May be less than `ROWS`, since each row has a whole number of points.
        let count = self.times.len().div_ceil(points_each);
        let mut headings = vec!["from".to_owned()];
        headings.extend(self.series.iter().map(|series| series.name.clone()));
        let mut table = Table {
            caption: format!(
                "{}, in {}: maximum in each of {count} intervals from {} to {}",
                self.title,
                self.unit,
                clock(first),
                clock(last)
            ),
            headings,
            text_columns: 1,
            ..Table::default()
        };
        for from in (0..self.times.len()).step_by(points_each) {
            let to = (from + points_each).min(self.times.len());
            let maximum = |series: &Series| {
                // In bounds: each series has one value per time.
                let values = series.values[from..to].iter().flatten().copied();
                values.reduce(f64::max).map_or_else(
                    || "–".to_owned(),
                    |value| format!("{value:.digits$}", digits = self.digits as usize),
                )
            };
            let cells = self.series.iter().map(maximum);
            table.row(std::iter::once(clock(self.times[from])).chain(cells));
        }
        table
    }
}

/// Time on the axis as hours, if there are any, minutes and seconds, as the scripts write it:
/// `3:05.0`, `1:02:03.0`.
pub(super) fn clock(seconds: f64) -> String {
    // Rounded first: of a minute less 0.03 s, 60.0 would be left beside 0 minutes.
    let tenths = (seconds * 10.0).round();
    let minutes = (tenths / 600.0).floor();
    let seconds = (tenths - minutes * 600.0) / 10.0;
    let hours = (minutes / 60.0).floor();
    match hours >= 1.0 {
        true => format!("{hours:.0}:{:02.0}:{seconds:04.1}", minutes - hours * 60.0),
        false => format!("{minutes:.0}:{seconds:04.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_clock_shows_60_seconds() {
        let clocks = [59.97, 59.94, 185.0, 119.96, 0.0].map(clock);
        assert_eq!(clocks, ["1:00.0", "0:59.9", "3:05.0", "2:00.0", "0:00.0"]);
    }

    #[test]
    fn a_clock_of_a_long_run_has_hours() {
        let clocks = [3_599.97, 3_725.0, 28_800.0, 360_000.0].map(clock);
        assert_eq!(clocks, ["1:00:00.0", "1:02:05.0", "8:00:00.0", "100:00:00.0"]);
    }
}
