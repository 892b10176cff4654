//! Chart of each class of executors: one line per process, coloured by its requests.
//!
//! The chart is drawn here and needs no script: hundreds of lines with their own times are not
//! what the script's charts are for.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::data::{Axis, clock};
use crate::analysis::{ChartData, ExecutorLines, RequestKind, rounded};
use crate::clock::Timestamp;
use crate::units::{ByteSize, as_mib, counted};

/// Width and height of the drawing, in its own unit.
const SIZE: (f64, f64) = (1000.0, 260.0);

/// Number of colours; further kinds share the last one.
const COLOURS: usize = 8;

/// Chart of one class.
pub(super) struct ExecutorChart {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) note: String,
    /// Lines of executors: points of an SVG polyline.
    pub(super) executors: Vec<Stroke>,
    /// Requests on these lines.
    pub(super) requests: Vec<Stroke>,
    /// Classes of the style sheet, and the kinds that they stand for.
    pub(super) looks: Vec<(String, String)>,
    /// Labels of both axes: smallest and largest RSS, in MiB, and the end of time.
    pub(super) labels: [String; 3],
}

/// Polyline with the text that is shown above it.
pub(super) struct Stroke {
    pub(super) look: String,
    pub(super) points: String,
    pub(super) text: String,
}

/// Charts of all classes with readings of executors.
pub(super) fn charts(data: &ChartData, axis: Option<Axis>) -> Vec<ExecutorChart> {
    let Some(axis) = axis else { return Vec::new() };
    data.executors.iter().map(|lines| chart(lines, axis)).collect()
}

fn chart(lines: &ExecutorLines, axis: Axis) -> ExecutorChart {
    let scale = Scale::of(lines, axis);
    let mut colours: BTreeMap<&RequestKind, usize> = BTreeMap::new();
    // In the order of growth, so that the kinds that grow most have colours of their own.
    for request in &lines.requests {
        let next = colours.len().min(COLOURS - 1);
        colours.entry(&request.kind).or_insert(next);
    }
    let look = |kind: &RequestKind| format!("kind-{}", colours.get(kind).copied().unwrap_or(0));
    let executors = lines.executors.iter().map(|executor| Stroke {
        look: "no-request".to_owned(),
        points: scale.points(&executor.points),
        text: format!("executor {}", executor.process.pid),
    });
    let requests = lines.requests.iter().map(|request| Stroke {
        look: look(&request.kind),
        points: scale.points(&request.points),
        text: format!("{}: RSS +{:.1} MiB", request.request, as_mib(request.growth)),
    });
    let mut looks: Vec<(String, String)> = Vec::new();
    for (number, group) in (0..COLOURS).map(|number| {
        let of_number = colours.iter().filter(move |(_, colour)| **colour == number);
        (number, of_number.map(|(kind, _)| kind.to_string()).collect::<Vec<_>>())
    }) {
        if !group.is_empty() {
            looks.push((format!("kind-{number}"), group.join(", ")));
        }
    }
    looks.push(("no-request".to_owned(), "no request".to_owned()));
    let left_out = match lines.left_out {
        0 => String::new(),
        count => format!(" {} with the least growth are not drawn.", counted(count, "request")),
    };
    let executors_left_out = match lines.executors_left_out {
        0 => String::new(),
        count => {
            format!(" {} with the smallest RSS are not drawn.", counted(count, "executor"))
        }
    };
    ExecutorChart {
        id: format!("executors-{}", lines.class),
        title: format!("RSS of each {} by request", lines.class),
        note: format!(
            "{}; point at a line for its request. Peaks between two readings are in the table of \
             costs.{executors_left_out}{left_out}",
            counted(lines.executors.len(), "executor")
        ),
        executors: executors.collect(),
        requests: requests.collect(),
        looks,
        labels: [
            format!("{:.0} MiB", scale.lowest),
            format!("{:.0} MiB", scale.highest),
            clock(axis.seconds(axis.end)),
        ],
    }
}

/// Scale of both axes.
struct Scale {
    axis: Axis,
    seconds: f64,
    lowest: f64,
    highest: f64,
}

impl Scale {
    fn of(lines: &ExecutorLines, axis: Axis) -> Self {
        let executors = lines.executors.iter().flat_map(|one| &one.points);
        let requests = lines.requests.iter().flat_map(|one| &one.points);
        let sizes = || executors.clone().chain(requests.clone()).map(|(_, rss)| as_mib(*rss));
        let lowest = sizes().fold(f64::INFINITY, f64::min).min(sizes().fold(0.0, f64::max));
        let highest = sizes().fold(lowest, f64::max).max(lowest + 1.0);
        Self { axis, seconds: axis.seconds(axis.end).max(0.01), lowest, highest }
    }

    /// Points of an SVG polyline.
    fn points(&self, points: &[(Timestamp, ByteSize)]) -> String {
        let mut text = String::new();
        for (at, rss) in points {
            let x = self.axis.seconds(*at) / self.seconds * SIZE.0;
            let height = (as_mib(*rss) - self.lowest) / (self.highest - self.lowest);
            let y = (1.0 - height) * SIZE.1;
            // Writing to a string cannot fail.
            _ = write!(text, "{},{} ", rounded(x, 1), rounded(y, 1));
        }
        text.truncate(text.trim_end().len());
        text
    }
}
