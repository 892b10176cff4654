//! Figures over time: memory and processes by class, and the machine, thinned so that they
//! can be drawn.
//!
//! Values are rounded before they are thinned: what cannot be told apart in a chart is one
//! value, of which the first counts.

use std::time::Duration;

use super::Evidence;
use super::thinning::Chunks;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::record::profile::{ClassSample, Sample, SystemSample};
use crate::units::{ByteSize, as_gib, as_mib};

/// Everything that a profile says over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Times of the first and the last sample; `None` without any.
    pub span: Option<(Timestamp, Timestamp)>,
    /// One course for each quantity of which there are samples.
    pub courses: Vec<Course>,
    /// Memory of the machine; `None` without a profile.
    pub memory_total: Option<ByteSize>,
}

/// A quantity over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// What it is a course of.
    pub quantity: Quantity,
    /// When its points are.
    pub times: Vec<Timestamp>,
    /// How many samples in a row became two points.
    pub samples_each: usize,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One line of a course.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Whose figures they are.
    pub subject: Subject,
    /// A value for each time, in the unit of the quantity; `None` where there was nothing.
    pub values: Vec<Option<f64>>,
}

/// Whose figures a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// All processes of the server.
    AllProcesses,
    /// The processes of one class.
    Class(ProcessClass),
    /// The machine.
    Machine,
}

/// What changes over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Sum of resident memory, in MiB.
    MemorySum,
    /// Resident memory of the largest process, in MiB.
    MemoryOfLargest,
    /// Processes.
    Processes,
    /// Use of all CPUs, in percent.
    Cpu,
    /// Memory in use, in GiB.
    MachineMemory,
}

impl Quantity {
    /// Digits behind the point.
    pub const fn digits(self) -> u32 {
        match self {
            Self::MemorySum | Self::MemoryOfLargest | Self::Cpu => 1,
            Self::Processes => 0,
            Self::MachineMemory => 2,
        }
    }

    fn rounded(self, value: f64) -> f64 {
        rounded(value, self.digits())
    }
}

/// What is drawn needs no more digits than can be seen.
pub fn rounded(value: f64, digits: u32) -> f64 {
    let factor = f64::from(10_u32.pow(digits));
    (value * factor).round() / factor
}

pub(super) fn assemble(evidence: &Evidence) -> Timeline {
    let samples: Vec<&Sample> = evidence.ticks().collect();
    let silence = evidence.plan.validity.profiler_gap;
    let times = || samples.iter().map(|sample| sample.at);
    let span = times().min().zip(times().max());
    let header = evidence.recording().header();
    let mut courses = Vec::new();
    if !samples.is_empty() {
        courses.extend(of_processes(&samples, silence));
        courses.extend(header.and_then(|_| of_machine(&samples, silence)).into_iter().flatten());
    }
    Timeline { span, courses, memory_total: header.map(|header| header.memory_total) }
}

fn of_processes(samples: &[&Sample], silence: Duration) -> [Course; 3] {
    let times: Vec<Timestamp> = samples.iter().map(|sample| sample.at).collect();
    let chunks = Chunks::of(&times, silence);
    let course = |quantity: Quantity, of: fn(Option<&ClassSample>) -> Option<f64>| Course {
        quantity,
        times: chunks.times(&times),
        samples_each: chunks.ticks_each(),
        lines: by_class(samples, &chunks, |class| of(class).map(|it| quantity.rounded(it))),
    };
    let mut sums =
        course(Quantity::MemorySum, |class| Some(class.map_or(0.0, |class| as_mib(class.rss_sum))));
    sums.lines.insert(0, total(samples, &chunks));
    let largest = course(Quantity::MemoryOfLargest, |class| Some(as_mib(class?.rss_max)));
    let counts = course(Quantity::Processes, |class| {
        Some(class.map_or(0.0, |class| f64::from(class.count)))
    });
    [sums, largest, counts]
}

/// A line for each class of which there was a process.
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

/// `None` where the machine was never read.
fn of_machine(samples: &[&Sample], silence: Duration) -> Option<[Course; 2]> {
    let readings: Vec<(Timestamp, SystemSample)> =
        samples.iter().filter_map(|sample| Some((sample.at, sample.system?))).collect();
    let times: Vec<Timestamp> = readings.iter().map(|(at, _)| *at).collect();
    // The machine is read at every few ticks only.
    let chunks = Chunks::of(&times, silence.max(silence_between(&times)));
    let course = |quantity: Quantity, of: fn(SystemSample) -> f64| {
        let value = |index: usize| Some(quantity.rounded(of(readings[index].1)));
        Course {
            quantity,
            times: chunks.times(&times),
            samples_each: chunks.ticks_each(),
            lines: vec![Line { subject: Subject::Machine, values: chunks.values(value) }],
        }
    };
    let courses = [
        course(Quantity::Cpu, |system| f64::from(system.cpu_percent)),
        course(Quantity::MachineMemory, |system| as_gib(system.memory_used)),
    ];
    (!readings.is_empty()).then_some(courses)
}

/// The usual distance between two readings, doubled: more than that is a silence.
fn silence_between(times: &[Timestamp]) -> Duration {
    let mut distances: Vec<_> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    distances.sort();
    distances.get(distances.len() / 2).copied().unwrap_or_default().saturating_mul(2)
}
