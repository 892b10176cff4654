//! Time series of the HTML report's charts: memory and processes by class, CPU and memory of the
//! machine, downsampled.
//!
//! Values are rounded before they are downsampled: of values that look equal in a chart, the
//! first is kept.

use std::time::Duration;

use super::Evidence;
use super::downsampling::Chunks;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::record::profile::{ClassSample, Sample, SystemSample};
use crate::scenario::ScenarioKind;
use crate::units::{ByteSize, as_gib, as_mib};

/// Time series of a profile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Times of the first and the last sample; `None` without any.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Time series of each quantity with samples.
    pub series: Vec<TimeSeries>,
    /// Total memory of the machine; `None` without a profile.
    pub memory_total: Option<ByteSize>,
}

/// Quantity over time.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeSeries {
    /// Quantity of all lines.
    pub quantity: Quantity,
    /// Times of the points, for all lines.
    pub times: Vec<Timestamp>,
    /// Number of consecutive samples that became two points; 1 if no point was left out.
    pub samples_each: usize,
    /// Lines, one per subject.
    pub lines: Vec<Line>,
}

/// Line of a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Subject of the values.
    pub subject: Subject,
    /// Value at each time, in the unit of the quantity; `None` without a measurement.
    pub values: Vec<Option<f64>>,
}

/// Subject of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Server, with all of its processes.
    AllProcesses,
    /// Processes of one class.
    Class(ProcessClass),
    /// Database of the server, by its name.
    Database(String),
    /// Machine as a whole.
    Machine,
    /// Iterations of all scenarios of one kind.
    Kind(ScenarioKind),
}

/// Quantity of a chart, with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Sum of RSS, in MiB.
    MemorySum,
    /// RSS of the largest process, in MiB.
    MemoryOfLargest,
    /// Number of processes.
    Processes,
    /// Number of threads.
    Threads,
    /// Number of open files.
    OpenFiles,
    /// Number of zombies.
    Zombies,
    /// Size of databases, in MiB.
    Databases,
    /// CPU use, in percent of all CPUs.
    Cpu,
    /// Memory in use, in GiB.
    MachineMemory,
    /// Number of active iterations.
    InFlight,
    /// Number of iterations that start in a second.
    Starts,
}

impl Quantity {
    /// Number of digits after the decimal point.
    pub const fn digits(self) -> u32 {
        match self {
            Self::MemorySum | Self::MemoryOfLargest | Self::Cpu | Self::Starts => 1,
            Self::Processes | Self::Threads | Self::OpenFiles | Self::Zombies | Self::InFlight => 0,
            Self::MachineMemory | Self::Databases => 2,
        }
    }

    pub(super) fn rounded(self, value: f64) -> f64 {
        rounded(value, self.digits())
    }
}

/// Value rounded to a number of digits after the decimal point, which keeps the page small.
pub fn rounded(value: f64, digits: u32) -> f64 {
    let factor = f64::from(10_u32.pow(digits));
    (value * factor).round() / factor
}

pub(super) fn assemble(evidence: &Evidence) -> Timeline {
    let samples: Vec<&Sample> = evidence.samples().collect();
    let max_gap = evidence.plan.validity.profiler_gap;
    let times = || samples.iter().map(|sample| sample.at);
    // Samples of a damaged file may be out of order.
    let span = times().min().zip(times().max());
    let header = evidence.recording().header();
    let mut series = Vec::new();
    if !samples.is_empty() {
        series.extend(of_processes(&samples, max_gap));
        series.extend(header.and_then(|_| of_machine(&samples, max_gap)).into_iter().flatten());
    }
    Timeline { span, series, memory_total: header.map(|header| header.memory_total) }
}

fn of_processes(samples: &[&Sample], max_gap: Duration) -> [TimeSeries; 3] {
    let times: Vec<Timestamp> = samples.iter().map(|sample| sample.at).collect();
    let chunks = chunks_of(&times, max_gap);
    let series = |quantity: Quantity, of: fn(Option<&ClassSample>) -> Option<f64>| TimeSeries {
        quantity,
        times: chunks.times(&times),
        samples_each: chunks.samples_each(),
        lines: by_class(samples, &chunks, |class| of(class).map(|value| quantity.rounded(value))),
    };
    // A class without processes has a sum and a count of 0, but no largest process.
    let mut sums =
        series(Quantity::MemorySum, |class| Some(class.map_or(0.0, |class| as_mib(class.rss_sum))));
    sums.lines.insert(0, total(samples, &chunks));
    let largest = series(Quantity::MemoryOfLargest, |class| Some(as_mib(class?.rss_max)));
    let counts = series(Quantity::Processes, |class| {
        Some(class.map_or(0.0, |class| f64::from(class.count)))
    });
    [sums, largest, counts]
}

/// Lines of all classes with processes.
fn by_class(
    samples: &[&Sample],
    chunks: &Chunks,
    of: impl Fn(Option<&ClassSample>) -> Option<f64>,
) -> Vec<Line> {
    let had_any =
        |class: &ProcessClass| samples.iter().any(|sample| sample.classes.contains_key(class));
    let classes = ProcessClass::ALL.into_iter().filter(had_any);
    let line = |class: ProcessClass| Line {
        subject: Subject::Class(class),
        values: chunks.values(|index| of(samples[index].classes.get(&class))),
    };
    classes.map(line).collect()
}

fn total(samples: &[&Sample], chunks: &Chunks) -> Line {
    let sum = |sample: &Sample| as_mib(sample.classes.values().map(|class| class.rss_sum).sum());
    let value = |index: usize| Some(Quantity::MemorySum.rounded(sum(samples[index])));
    Line { subject: Subject::AllProcesses, values: chunks.values(value) }
}

/// CPU and memory of the machine; `None` without a reading.
fn of_machine(samples: &[&Sample], max_gap: Duration) -> Option<[TimeSeries; 2]> {
    let series = |quantity, of| of_readings(samples, max_gap, quantity, of);
    Some([
        series(Quantity::Cpu, |system| f64::from(system.cpu_percent))?,
        series(Quantity::MachineMemory, |system| as_gib(system.memory_used))?,
    ])
}

/// Available memory of the machine, in GiB, which has no chart; `None` without a reading.
pub(super) fn available_memory(evidence: &Evidence) -> Option<TimeSeries> {
    evidence.recording().header()?;
    let samples: Vec<&Sample> = evidence.samples().collect();
    let max_gap = evidence.plan.validity.profiler_gap;
    let of = |system: SystemSample| as_gib(system.memory_available);
    of_readings(&samples, max_gap, Quantity::MachineMemory, of)
}

/// Figure of the machine over time; `None` without a reading.
fn of_readings(
    samples: &[&Sample],
    max_gap: Duration,
    quantity: Quantity,
    of: fn(SystemSample) -> f64,
) -> Option<TimeSeries> {
    let readings: Vec<(Timestamp, SystemSample)> =
        samples.iter().filter_map(|sample| Some((sample.at, sample.system?))).collect();
    let times: Vec<Timestamp> = readings.iter().map(|(at, _)| *at).collect();
    let chunks = chunks_of(&times, max_gap);
    let value = |index: usize| Some(quantity.rounded(of(readings[index].1)));
    (!readings.is_empty()).then(|| TimeSeries {
        quantity,
        times: chunks.times(&times),
        samples_each: chunks.samples_each(),
        lines: vec![Line { subject: Subject::Machine, values: chunks.values(value) }],
    })
}

/// Chunks of values at these times. A gap is longer than `max_gap`, and than twice the median time
/// between two values: at a long sampling interval, normal times exceed `profiler-gap`.
pub(super) fn chunks_of(times: &[Timestamp], max_gap: Duration) -> Chunks {
    let mut intervals: Vec<_> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    intervals.sort();
    let median = intervals.get(intervals.len() / 2).copied().unwrap_or_default();
    Chunks::of(times, max_gap.max(median.saturating_mul(2)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_long_sampling_interval_is_no_gap_of_a_line() {
        let sample = |second: u64| Sample {
            at: Timestamp::from_micros(second * 1_000_000),
            late_micros: 0,
            classes: BTreeMap::new(),
            zombies: 0,
            left_out: 0,
            system: None,
        };
        let seconds = (0..30).step_by(3).chain([60, 63]);
        let samples: Vec<Sample> = seconds.map(sample).collect();
        let samples: Vec<&Sample> = samples.iter().collect();
        for series in of_processes(&samples, Duration::from_secs(2)) {
            // One for each sample, and one in the middle of the time without samples.
            assert_eq!(series.times.len(), 12 + 1, "{:?}", series.quantity);
        }
    }
}
