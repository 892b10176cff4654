//! Charts over time: memory and processes by class, and the machine.

use std::time::Duration;

use super::data::{Axis, Chart, Limit, Series, rounded};
use super::series::Chunks;
use crate::analysis::{Evidence, LimitCheck, Report};
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::metric::{Amount, Metric, ServerMetric};
use crate::record::profile::{ClassSample, Sample, SystemSample};
use crate::units::{ByteSize, as_gib, as_mib};

/// The charts over time; none without a profile.
pub(super) fn over_time(report: &Report, evidence: &Evidence, axis: Axis) -> Vec<Chart> {
    let ticks: Vec<&Sample> = evidence.ticks().collect();
    let silence = evidence.plan.validity.profiler_gap;
    if ticks.is_empty() {
        return Vec::new();
    }
    let times: Vec<Timestamp> = ticks.iter().map(|tick| tick.at).collect();
    let course = Course { chunks: Chunks::of(&times, silence), ticks, times, axis };
    let mut charts = course.charts(report);
    let readings: Vec<(Timestamp, SystemSample)> =
        evidence.ticks().filter_map(|tick| Some((tick.at, tick.system?))).collect();
    if let Some(header) = evidence.recording().header()
        && !readings.is_empty()
    {
        let times: Vec<Timestamp> = readings.iter().map(|(at, _)| *at).collect();
        // The machine is read at every few ticks only.
        let chunks = Chunks::of(&times, silence.max(silence_between(&times)));
        charts.extend(machine(&readings, &times, &chunks, axis, header.memory_total));
    }
    charts
}

/// The ticks of a run, thinned.
struct Course<'a> {
    ticks: Vec<&'a Sample>,
    times: Vec<Timestamp>,
    chunks: Chunks,
    axis: Axis,
}

impl Course<'_> {
    fn charts(&self, report: &Report) -> Vec<Chart> {
        let sum = |tick: &ClassSample| as_mib(tick.rss_sum);
        let largest = |tick: &ClassSample| as_mib(tick.rss_max);
        let mut sums = self.by_class(1, |tick| Some(tick.map_or(0.0, sum)));
        sums.insert(0, self.total());
        let limit_of = |check: &&LimitCheck| check.metric == ServerMetric::TreeRss.into();
        let tree_limits: Vec<Limit> =
            report.budgets.iter().filter(limit_of).filter_map(as_limit).collect();
        vec![
            Chart {
                id: "memory-sum",
                title: "Memory by class of process: sum of resident memory",
                note: self.note("Shared pages count once for each process (RSS)."),
                unit: "MiB",
                digits: 1,
                times: self.points(),
                series: sums,
                limits: tree_limits,
            },
            Chart {
                id: "memory-largest",
                title: "Largest process of each class: resident memory",
                note: self.note(
                    "Budgets are held against the kernel's peaks in the table above, which also have \
                     what came between two samples.",
                ),
                unit: "MiB",
                digits: 1,
                times: self.points(),
                series: self.by_class(1, |tick| tick.map(largest)),
                limits: class_limits(report),
            },
            Chart {
                id: "processes",
                title: "Processes by class",
                note: self.note("A worker that still imports SkyPilot is “starting”."),
                unit: "processes",
                digits: 0,
                times: self.points(),
                series: self
                    .by_class(0, |tick| Some(tick.map_or(0.0, |tick| f64::from(tick.count)))),
                limits: Vec::new(),
            },
        ]
    }

    fn points(&self) -> Vec<f64> {
        self.chunks.times(&self.times).into_iter().map(|at| self.axis.seconds(at)).collect()
    }

    fn note(&self, more: &str) -> String {
        thinned(&self.chunks, more)
    }

    /// A line for each class of which there was a process.
    fn by_class(
        &self,
        digits: u32,
        of: impl Fn(Option<&ClassSample>) -> Option<f64>,
    ) -> Vec<Series> {
        let had_any =
            |class: &ProcessClass| self.ticks.iter().any(|tick| tick.classes.contains_key(class));
        let classes = ProcessClass::ALL.into_iter().filter(had_any);
        let line = |class: ProcessClass| Series {
            name: class.to_string(),
            look: class.name(),
            values: self.chunks.values(|tick| {
                of(self.ticks[tick].classes.get(&class)).map(|value| rounded(value, digits))
            }),
        };
        classes.map(line).collect()
    }

    fn total(&self) -> Series {
        let sum = |tick: &Sample| as_mib(tick.classes.values().map(|class| class.rss_sum).sum());
        Series {
            name: "all processes".to_owned(),
            look: "all",
            values: self.chunks.values(|tick| Some(rounded(sum(self.ticks[tick]), 1))),
        }
    }
}

fn machine(
    readings: &[(Timestamp, SystemSample)],
    times: &[Timestamp],
    chunks: &Chunks,
    axis: Axis,
    memory_total: ByteSize,
) -> [Chart; 2] {
    let points = || chunks.times(times).into_iter().map(|at| axis.seconds(at)).collect();
    let line = |name: &str, of: fn(SystemSample) -> f64, digits| {
        let value = |index: usize| Some(rounded(of(readings[index].1), digits));
        vec![Series { name: name.to_owned(), look: "machine", values: chunks.values(value) }]
    };
    [
        Chart {
            id: "cpu",
            title: "CPU use of the machine",
            note: thinned(chunks, "Of all CPUs, clients and other programs included."),
            unit: "%",
            digits: 1,
            times: points(),
            series: line("in use", |system| f64::from(system.cpu_percent), 1),
            limits: Vec::new(),
        },
        Chart {
            id: "machine-memory",
            title: "Memory in use of the machine",
            note: thinned(chunks, "Clients and other programs included."),
            unit: "GiB",
            digits: 2,
            times: points(),
            series: line("in use", |system| as_gib(system.memory_used), 2),
            limits: vec![Limit { name: "all there is".to_owned(), value: as_gib(memory_total) }],
        },
    ]
}

fn thinned(chunks: &Chunks, more: &str) -> String {
    match chunks.ticks_each() {
        1 => format!("{more} Every tick is drawn."),
        ticks => format!(
            "{more} Of each {ticks} ticks in a row the lowest and the highest value are drawn, so no \
             extreme is lost."
        ),
    }
}

/// The usual distance between two readings, doubled: more than that is a silence.
fn silence_between(times: &[Timestamp]) -> Duration {
    let mut distances: Vec<_> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    distances.sort();
    distances.get(distances.len() / 2).copied().unwrap_or_default().saturating_mul(2)
}

fn as_limit(check: &LimitCheck) -> Option<Limit> {
    let limit = check.limit.and_then(Amount::as_size)?;
    Some(Limit { name: format!("budget: {}", check.metric), value: rounded(as_mib(limit), 1) })
}

/// Budgets of classes that ran; equal ones share a line.
fn class_limits(report: &Report) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::new();
    let ran = |class| report.memory.as_ref().is_some_and(|memory| memory.class(class).is_some());
    for check in &report.budgets {
        let Metric::Class(class, _) = check.metric else { continue };
        let Some(limit) = as_limit(check).filter(|_| ran(class)) else { continue };
        match limits.iter_mut().find(|other| other.value == limit.value) {
            Some(other) => other.name = format!("{}, {class}", other.name),
            None => limits.push(limit),
        }
    }
    limits
}
