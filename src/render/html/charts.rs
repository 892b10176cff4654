//! Charts over time: memory and processes by class, the host, and the load.

use super::data::{Axis, Chart, Limit, Series};
use crate::analysis::{
    ChartData, LimitCheck, Line, Quantity, Report, Subject, TimeSeries, Timeline, rounded,
};
use crate::class::ProcessClass;
use crate::metric::{Amount, Metric, ServerMetric};
use crate::scenario::ScenarioKind;
use crate::units::{as_gib, as_mib};

/// Charts over time: of the profile, if there is one, and of the load.
pub(super) fn over_time(report: &Report, data: &ChartData, axis: Axis) -> Vec<Chart> {
    let timeline = &data.timeline;
    let chart = |time_series: &TimeSeries| {
        let labels = Labels::of(time_series.quantity);
        Chart {
            id: labels.id,
            title: labels.title,
            note: note(time_series.samples_each, labels.note),
            unit: labels.unit,
            digits: time_series.quantity.digits(),
            times: time_series.times.iter().map(|at| axis.seconds(*at)).collect(),
            series: time_series.lines.iter().enumerate().map(series).collect(),
            limits: limits(report, timeline, time_series.quantity),
        }
    };
    timeline.series.iter().chain(&data.readings).chain(&data.load).map(chart).collect()
}

/// Labels of a chart.
struct Labels {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    note: &'static str,
}

impl Labels {
    const fn of(quantity: Quantity) -> Self {
        match quantity {
            Quantity::MemorySum => Self {
                id: "memory-sum",
                title: "Memory by process class: RSS sum",
                unit: "MiB",
                note: "Shared pages count once per process (RSS).",
            },
            Quantity::MemoryOfLargest => Self {
                id: "memory-largest",
                title: "Largest process of each class: RSS",
                unit: "MiB",
                note: "Budgets are checked against the peaks above (VmHWM), which include spikes \
                       between samples.",
            },
            Quantity::Processes => Self {
                id: "processes",
                title: "Processes by class",
                unit: "processes",
                note: "`starting-executor`: still imports SkyPilot.",
            },
            Quantity::Threads => Self {
                id: "threads",
                title: "Threads by class",
                unit: "threads",
                note: "Read every 10 s.",
            },
            Quantity::OpenFiles => Self {
                id: "open-files",
                title: "Open files by class",
                unit: "files",
                note: "Sockets and pipes included. Read every 10 s.",
            },
            Quantity::Zombies => Self {
                id: "zombies",
                title: "Zombies",
                unit: "processes",
                note: "Exited processes that no parent has waited for.",
            },
            Quantity::Databases => Self {
                id: "databases",
                title: "Databases of the server",
                unit: "MiB",
                note: "Write-ahead logs included. Read every 10 s.",
            },
            Quantity::Cpu => Self {
                id: "cpu",
                title: "Host CPU use",
                unit: "%",
                note: "All CPUs, load generator and other programs included.",
            },
            Quantity::MachineMemory => Self {
                id: "machine-memory",
                title: "Host memory in use",
                unit: "GiB",
                note: "Load generator and other programs included.",
            },
            Quantity::InFlight => Self {
                id: "in-flight",
                title: "Load: active iterations",
                unit: "iterations",
                note: "At the end of each window of time, without the health probe.",
            },
            Quantity::Starts => Self {
                id: "starts",
                title: "Load: iterations that start",
                unit: "per second",
                note: "Mean of each window of time, without the health probe.",
            },
        }
    }
}

fn series((position, line): (usize, &Line)) -> Series {
    let (name, look) = match &line.subject {
        Subject::AllProcesses => ("all processes", "all"),
        Subject::Class(class) => (class.name(), class.name()),
        // There is a look for each class, and none for the databases of a release.
        Subject::Database(name) => {
            let look = ProcessClass::ALL[position % ProcessClass::ALL.len()].name();
            (name.as_str(), look)
        }
        Subject::Machine => ("in use", "machine"),
        Subject::Kind(ScenarioKind::Cli) => ("CLI scenarios", "cli"),
        Subject::Kind(ScenarioKind::Hold) => ("held connections", "hold"),
        Subject::Kind(ScenarioKind::Api | ScenarioKind::Probe) => ("API scenarios", "api"),
    };
    Series { name: name.to_owned(), look, values: line.values.clone() }
}

fn limits(report: &Report, timeline: &Timeline, quantity: Quantity) -> Vec<Limit> {
    match quantity {
        Quantity::MemorySum => {
            // The budget for PSS is not drawn: the chart shows RSS.
            let is_of_sum = |check: &&LimitCheck| check.metric == ServerMetric::TreeRss.into();
            report.budgets.iter().filter(is_of_sum).filter_map(as_limit).collect()
        }
        Quantity::MemoryOfLargest => class_limits(report),
        Quantity::MachineMemory => {
            let all = timeline.memory_total.map(as_gib);
            let limit = |value| Limit { name: "total".to_owned(), value };
            all.map(limit).into_iter().collect()
        }
        Quantity::Processes
        | Quantity::Threads
        | Quantity::OpenFiles
        | Quantity::Zombies
        | Quantity::Databases
        | Quantity::Cpu
        | Quantity::InFlight
        | Quantity::Starts => Vec::new(),
    }
}

/// Note below a chart, followed by how it was thinned.
fn note(samples_each: usize, text: &str) -> String {
    match samples_each {
        1 => format!("{text} Every value is drawn."),
        samples => format!(
            "{text} Minimum and maximum of every {samples} consecutive samples are drawn, so no \
             extreme is lost."
        ),
    }
}

fn as_limit(check: &LimitCheck) -> Option<Limit> {
    let limit = check.limit.and_then(Amount::as_size)?;
    Some(Limit { name: format!("budget: {}", check.metric), value: rounded(as_mib(limit), 1) })
}

/// Budgets of classes that ran, with one line for equal budgets.
fn class_limits(report: &Report) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    let ran = |class| report.memory.as_ref().is_some_and(|memory| memory.class(class).is_some());
    for check in &report.budgets {
        let Metric::Class(class, _) = check.metric else { continue };
        let Some(limit) = as_limit(check).filter(|_| ran(class)) else { continue };
        // Both are rounded, so equal budgets are equal numbers.
        match limits.iter_mut().find(|other| other.value == limit.value) {
            Some(other) => other.name = format!("{}, {class}", other.name),
            None => limits.push(limit),
        }
    }
    limits
}
