//! Series of a run as CSV or JSON lines, for other tools.
//!
//! Names from a server are data: in CSV a name that a spreadsheet would take for a formula begins
//! with an apostrophe.

use std::borrow::Cow;
use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::analysis::{Point, Source, Unit};
use crate::clock::Timestamp;

/// Format of a file of series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SeriesFormat {
    /// Comma-separated values with a header.
    Csv,
    /// JSON, one object per line.
    Jsonl,
}

/// Names of the columns, in their order.
const COLUMNS: [&str; 7] = ["time", "seconds", "source", "subject", "metric", "unit", "value"];

/// Row of a file, whose fields are the columns.
#[derive(Serialize)]
struct Row<'a> {
    time: Time,
    seconds: Option<f64>,
    source: Source,
    subject: &'a str,
    metric: &'a str,
    unit: Unit,
    value: f64,
}

/// Time by RFC 3339, with milliseconds.
struct Time(Timestamp);

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl SeriesFormat {
    /// Extension of the file's name.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}

/// Writes points as they come.
pub fn render<'a>(
    points: impl Iterator<Item = Point<'a>>,
    format: SeriesFormat,
    out: &mut impl Write,
) -> io::Result<()> {
    match format {
        SeriesFormat::Csv => {
            let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(out);
            // Also of a run without a point.
            csv.write_record(COLUMNS)?;
            for point in points {
                let subject = without_formula(&point.subject);
                csv.serialize(row(&point, &subject))?;
            }
            csv.flush()
        }
        SeriesFormat::Jsonl => {
            for point in points {
                serde_json::to_writer(&mut *out, &row(&point, &point.subject))?;
                out.write_all(b"\n")?;
            }
            Ok(())
        }
    }
}

fn row<'a>(point: &Point<'_>, subject: &'a str) -> Row<'a> {
    Row {
        time: Time(point.at),
        seconds: point.seconds.map(to_millis),
        source: point.source,
        subject,
        metric: point.metric,
        unit: point.unit,
        value: to_micros(point.value),
    }
}

/// Seconds without more digits than the time has.
fn to_millis(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// Value without digits that no measurement has.
fn to_micros(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Text that no spreadsheet takes for a formula.
fn without_formula(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn rendered(subject: &str, format: SeriesFormat) -> String {
        let point = Point {
            at: Timestamp::from_micros(1_790_000_000_250_000),
            seconds: Some(-1.5),
            source: Source::ServerMetrics,
            subject: Cow::Borrowed(subject),
            metric: "run-p95",
            unit: Unit::Seconds,
            value: 0.25,
        };
        let mut out = Vec::new();
        render([point].into_iter(), format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn csv_has_a_header_and_a_row_for_each_point() {
        assert_eq!(
            rendered("sky.status", SeriesFormat::Csv),
            "time,seconds,source,subject,metric,unit,value\n\
             2026-09-21T14:13:20.250Z,-1.5,server-metrics,sky.status,run-p95,s,0.25\n"
        );
    }

    #[test]
    fn json_lines_have_the_columns_as_keys() {
        assert_eq!(
            rendered("sky.status", SeriesFormat::Jsonl),
            "{\"time\":\"2026-09-21T14:13:20.250Z\",\"seconds\":-1.5,\
             \"source\":\"server-metrics\",\"subject\":\"sky.status\",\"metric\":\"run-p95\",\
             \"unit\":\"s\",\"value\":0.25}\n"
        );
    }

    #[test]
    fn no_name_is_a_formula_or_breaks_a_row() {
        for name in ["=1+1", "+1", "-1", "@x", "\t=1"] {
            let text = rendered(name, SeriesFormat::Csv);
            assert!(
                text.contains(&format!(",'{name},")) || text.contains(&format!(",\"'{name}\","))
            );
        }
        let text = rendered("a\",\"b\nc", SeriesFormat::Csv);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!((rows.len(), &rows[0][3]), (1, "a\",\"b\nc"));
    }
}
