//! Page of a run in progress, and what it is sent: figures and charts, as JSON.
//!
//! The page is the same for every run. It gets all of its data from the address that it came from,
//! as events: a [`View`] every second, and the charts less often.

use std::io::{self, Write};

use askama::Template;
use serde::Serialize;

use super::data::{Axis, Chart, Data, Limit, Series, Span};
use super::embed::Embedded;
use super::mood;
use crate::analysis::rounded;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::live::{LiveState, Point, View};
use crate::record::profile::Phase;
use crate::units::as_mib;

/// Page of a run in progress.
#[derive(Template)]
#[template(path = "template/live.html")]
struct LivePage {
    embedded: Embedded,
    figures: [(&'static str, &'static str); 8],
    charts: [Labels; 5],
}

/// Figures of the page: the names that its script has for them, and headings.
const FIGURES: [(&str, &str); 8] = [
    ("left", "Time left"),
    ("active", "Active iterations"),
    ("failed", "Failed iterations"),
    ("executors", "Executors"),
    ("threads", "Threads"),
    ("memory", "Server memory"),
    ("probe", "Health probe"),
    ("host", "Host"),
];

/// Labels of a chart.
#[derive(Clone, Copy)]
struct Labels {
    id: &'static str,
    title: &'static str,
    note: &'static str,
    unit: &'static str,
    digits: u32,
}

const LARGEST: Labels = Labels {
    id: "memory-largest",
    title: "Largest process of each class: RSS",
    note: "Budgets are on peaks (VmHWM), in the table above, which include spikes between samples.",
    unit: "MiB",
    digits: 1,
};
const SUM: Labels = Labels {
    id: "memory-sum",
    title: "Memory of the server: RSS sum",
    note: "Shared pages count once per process (RSS).",
    unit: "MiB",
    digits: 1,
};
const PROCESSES: Labels = Labels {
    id: "processes",
    title: "Processes by class",
    note: "`starting-executor`: still imports SkyPilot.",
    unit: "processes",
    digits: 0,
};
const ACTIVE: Labels = Labels {
    id: "in-flight",
    title: "Load: active iterations",
    note: "Without the health probe and held connections.",
    unit: "iterations",
    digits: 0,
};
const PROBE: Labels = Labels {
    id: "probe",
    title: "Health probe: longest latency",
    note: "From the scheduled time of the request to the response.",
    unit: "ms",
    digits: 0,
};

/// State of a run, with what the page shows for its verdict.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct State<'a> {
    #[serde(flatten)]
    view: &'a View,
    /// Verdict; `None` while the run goes on.
    verdict: Option<ShownVerdict>,
}

/// Verdict as the page shows it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ShownVerdict {
    name: &'static str,
    mood: &'static str,
}

/// Charts of a run so far.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Charts {
    /// ID of the run.
    run: String,
    /// End of the time axis in seconds.
    until: f64,
    phases: Vec<Span>,
    charts: Vec<Chart>,
}

/// Writes the page, which is the same for every run.
pub fn render_live_page(out: &mut impl Write) -> io::Result<()> {
    let data = Data {
        until: 0.0,
        phases: Vec::new(),
        scenarios: Vec::new(),
        charts: Vec::new(),
        distributions: Vec::new(),
    };
    let embedded = Embedded::live(&data)?;
    let charts = [LARGEST, SUM, PROCESSES, ACTIVE, PROBE];
    LivePage { embedded, figures: FIGURES, charts }.write_into(out)
}

/// Figures and tables of the page, as JSON in one line.
pub fn live_view(view: &View) -> io::Result<String> {
    let verdict = view
        .ending
        .as_ref()
        .map(|ending| ShownVerdict { name: ending.verdict.name(), mood: mood(ending.verdict) });
    Ok(serde_json::to_string(&State { view, verdict })?)
}

/// Charts of the page, as JSON in one line.
pub fn live_charts(state: &LiveState, now: Timestamp) -> io::Result<String> {
    let axis = Axis { origin: state.began().unwrap_or(now), end: now };
    let charts = Charts {
        run: state.run().to_string(),
        until: axis.seconds(now),
        phases: phases(state, axis),
        charts: charts(state, axis),
    };
    Ok(serde_json::to_string(&charts)?)
}

/// Phases so far; the last one lasts until now.
fn phases(state: &LiveState, axis: Axis) -> Vec<Span> {
    let phases = state.phases();
    let ends = phases.iter().skip(1).map(|(began, _)| *began).chain([axis.end]);
    let span = |((began, phase), end): (&(Timestamp, Phase), _)| Span {
        name: phase.name().to_owned(),
        from: axis.seconds(*began),
        to: axis.seconds(end),
    };
    phases.iter().zip(ends).map(span).collect()
}

fn charts(state: &LiveState, axis: Axis) -> Vec<Chart> {
    let points = state.history().points();
    let line = |name: &'static str, look: &'static str, of: &dyn Fn(&Point) -> Option<f64>| {
        let values = points.iter().map(|(_, point)| of(point)).collect();
        Series { name: name.to_owned(), look, values }
    };
    // Of classes that have had a process.
    let by_class = |of: fn(&Point, ProcessClass) -> Option<f64>| -> Vec<Series> {
        let lines = ProcessClass::ALL
            .into_iter()
            .map(|class| line(class.name(), class.name(), &|point| of(point, class)));
        lines.filter(|line| line.values.iter().any(Option::is_some)).collect()
    };
    let chart = |labels: Labels, series, limits| Chart {
        id: labels.id,
        unit: labels.unit,
        digits: labels.digits,
        times: points.iter().map(|(at, _)| axis.seconds(*at)).collect(),
        series,
        limits,
        title: labels.title,
        note: labels.note.to_owned(),
    };
    let largest = by_class(|point, class| Some(rounded(as_mib(*point.largest.get(&class)?), 1)));
    let limits = limits(state, &largest);
    vec![
        chart(LARGEST, largest, limits),
        chart(
            SUM,
            vec![line("all processes", "all", &|point| Some(rounded(as_mib(point.rss_sum?), 1)))],
            Vec::new(),
        ),
        chart(
            PROCESSES,
            by_class(|point, class| Some(f64::from(*point.processes.get(&class)?))),
            Vec::new(),
        ),
        chart(
            ACTIVE,
            vec![line("active", "all", &|point| {
                Some(f64::from(u32::try_from(point.active?).unwrap_or(u32::MAX)))
            })],
            Vec::new(),
        ),
        chart(
            PROBE,
            vec![line("probe:health", "machine", &|point| {
                Some(rounded(point.probe?.as_secs_f64() * 1e3, 0))
            })],
            Vec::new(),
        ),
    ]
}

/// Budgets of the classes that are drawn, with one line for equal budgets.
fn limits(state: &LiveState, drawn: &[Series]) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    for (class, budget) in state.budgets() {
        if !drawn.iter().any(|line| line.name == class.name()) {
            continue;
        }
        let value = rounded(as_mib(*budget), 1);
        match limits.iter_mut().find(|limit| limit.value == value) {
            Some(equal) => equal.name = format!("{}, {class}", equal.name),
            None => limits.push(Limit { name: format!("budget: {class}"), value }),
        }
    }
    limits
}
