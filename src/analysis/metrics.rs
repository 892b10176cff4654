//! Measuring: what the evidence says of each metric of the table.
//!
//! One function for each kind of subject. What is not there is said with the reason, since
//! a budget for a process that never ran is another matter than one that nobody could read.

use std::collections::BTreeMap;

use super::Report;
use super::exactness::Exactness;
use super::memory::MemoryReport;
use super::scenarios::{SegmentReport, Stats, throughput};
use super::snapshots::SnapshotMemory;
use crate::class::ProcessClass;
use crate::metric::{Amount, ClassMetric, Metric, ScenarioMetric, ServerMetric};
use crate::record::outcome::{Latencies, ScenarioOutcome, SegmentOutcome};
use crate::record::profile::Phase;
use crate::scenario::ScenarioId;
use crate::units::{ByteSize, Percent, total};

/// What was measured of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measured {
    /// An amount, and how far from the true one it may be.
    Value(Amount, Exactness),
    /// Nothing, and why.
    Absent(Absence),
}

/// Why nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// There is no profile of the server.
    NoProfile,
    /// No process of the class ran.
    NoProcess,
    /// Processes ran, and what it takes was not read of them.
    NotRead,
    /// The server was not idle when it would have been measured.
    NotIdle,
    /// The server was not stopped as its users stop it.
    NotStopped,
    /// No iteration came to its end.
    NoIteration,
}

impl Measured {
    /// Amount that was measured.
    pub const fn amount(self) -> Option<Amount> {
        match self {
            Self::Value(amount, _) => Some(amount),
            Self::Absent(_) => None,
        }
    }

    /// Size that was measured; `None` also of an amount in another unit.
    pub const fn size(self) -> Option<ByteSize> {
        match self {
            Self::Value(amount, _) => amount.as_size(),
            Self::Absent(_) => None,
        }
    }

    /// Whether the amount is known to lack something.
    pub const fn is_lower_bound(self) -> bool {
        matches!(self, Self::Value(_, Exactness::AtMost(_) | Exactness::Unbounded))
    }

    /// An amount that lacks nothing; without one, nothing for this reason.
    fn exact(amount: Option<Amount>, otherwise: Absence) -> Self {
        amount.map_or(Self::Absent(otherwise), |amount| Self::Value(amount, Exactness::Exact))
    }

    /// The same as a lower bound, if it is one.
    fn bounded(self, is_lower_bound: bool) -> Self {
        match self {
            Self::Value(amount, _) if is_lower_bound => Self::Value(amount, Exactness::Unbounded),
            other => other,
        }
    }
}

/// Everything that metrics are measured from.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) memory: Option<&'a MemoryReport>,
    pub(super) leaked_processes: Option<u32>,
    pub(super) outcomes: &'a BTreeMap<ScenarioId, ScenarioOutcome>,
}

impl Sources<'_> {
    pub(super) fn measure(self, metric: Metric) -> Measured {
        match metric {
            Metric::Class(class, statistic) => of_class(self.memory, class, statistic),
            Metric::Server(statistic) => of_server(self.memory, self.leaked_processes, statistic),
            Metric::Scenario(id, statistic) => {
                let outcome = self.outcomes.get(&id);
                let segments = outcome.map_or(&[][..], |outcome| &outcome.segments);
                Iterations::of_all(segments).measure(statistic)
            }
        }
    }
}

impl Report {
    /// What was measured of the server as a whole.
    pub fn of_server(&self, statistic: ServerMetric) -> Measured {
        of_server(self.memory.as_ref(), self.leaked_processes, statistic)
    }

    /// What was measured of a class of processes.
    pub fn of_class(&self, class: ProcessClass, statistic: ClassMetric) -> Measured {
        of_class(self.memory.as_ref(), class, statistic)
    }

    /// Whether the figure that a limit is about is known to lack something.
    pub fn is_lower_bound(&self, metric: Metric) -> bool {
        match metric {
            Metric::Class(class, statistic) => self.of_class(class, statistic).is_lower_bound(),
            Metric::Server(statistic) => self.of_server(statistic).is_lower_bound(),
            Metric::Scenario(..) => false,
        }
    }
}

impl MemoryReport {
    /// What was measured of a class of processes.
    pub fn of_class(&self, class: ProcessClass, statistic: ClassMetric) -> Measured {
        of_class(Some(self), class, statistic)
    }

    /// Largest proportional memory at the end of a phase, before the load or after it.
    pub fn tree_pss(&self) -> Measured {
        let lacks_some = self.has_swapped() || self.snapshots.iter().any(|one| one.unread > 0);
        let peak = self.tree_pss_peak().map(Amount::Size);
        Measured::exact(peak, Absence::NotRead).bounded(lacks_some)
    }

    /// Largest sum of resident memory.
    pub fn tree_rss(&self) -> Measured {
        let peak = self.tree_rss_peak.map(Amount::Size);
        Measured::exact(peak, Absence::NotRead).bounded(self.has_swapped())
    }

    /// Whether a process of the server was seen with pages in swap, which every sum lacks.
    fn has_swapped(&self) -> bool {
        self.classes.iter().any(|class| class.swapped > 0)
    }
}

impl SegmentReport {
    /// What was measured of its iterations.
    pub fn measured(&self, statistic: ScenarioMetric) -> Measured {
        let iterations = Iterations {
            latencies: self.iteration_duration,
            completed: self.completed(),
            failed: self.failed,
            throughput: self.throughput,
        };
        iterations.measure(statistic)
    }
}

fn of_class(
    memory: Option<&MemoryReport>,
    class: ProcessClass,
    statistic: ClassMetric,
) -> Measured {
    let Some(memory) = memory else { return Measured::Absent(Absence::NoProfile) };
    let Some(found) = memory.class(class) else { return Measured::Absent(Absence::NoProcess) };
    let size = |size: Option<ByteSize>| Measured::exact(size.map(Amount::Size), Absence::NotRead);
    match statistic {
        ClassMetric::Count => Measured::exact(count(Some(found.processes)), Absence::NotRead),
        ClassMetric::Concurrent => Measured::exact(count(Some(found.concurrent)), Absence::NotRead),
        ClassMetric::MaxPeak => match (found.peak, found.exactness) {
            (Some(peak), exactness) => Measured::Value(Amount::Size(peak), exactness),
            // A fork that ran nothing of its own has no peak of its own either.
            (None, Exactness::Exact) => Measured::Absent(Absence::NoProcess),
            (None, _) => Measured::Absent(Absence::NotRead),
        },
        ClassMetric::MeanPeak => size(found.mean_peak),
        ClassMetric::MaxSum => size(found.rss_sum_peak),
    }
}

fn of_server(
    memory: Option<&MemoryReport>,
    leaked_processes: Option<u32>,
    statistic: ServerMetric,
) -> Measured {
    match (statistic, memory) {
        // A stop is seen without a profile.
        (ServerMetric::LeakedProcesses, _) => {
            Measured::exact(count(leaked_processes), Absence::NotStopped)
        }
        (_, None) => Measured::Absent(Absence::NoProfile),
        (ServerMetric::TreeRss, Some(memory)) => memory.tree_rss(),
        (ServerMetric::TreePss, Some(memory)) => {
            // A profile that was made elsewhere may have one from before the load alone.
            let is_of_load =
                |one: &SnapshotMemory| !matches!(one.phase, Phase::Baseline | Phase::SetUp);
            match memory.read_snapshots().any(is_of_load) {
                true => memory.tree_pss(),
                false => Measured::Absent(Absence::NotRead),
            }
        }
        (ServerMetric::Growth, Some(memory)) => match &memory.growth {
            None => Measured::Absent(Absence::NotIdle),
            Some(growth) => Measured::exact(growth.pss.map(Amount::Size), Absence::NotRead)
                .bounded(memory.has_swapped() || growth.unread_after > 0),
        },
        (ServerMetric::Threads, Some(memory)) => {
            Measured::exact(count(memory.most_threads), Absence::NotRead)
        }
        (ServerMetric::Zombies, Some(memory)) => {
            Measured::exact(count(memory.zombies), Absence::NotIdle)
        }
        (ServerMetric::Processes, Some(memory)) => {
            Measured::exact(count(Some(memory.most_processes)), Absence::NotRead)
        }
    }
}

fn count(count: Option<u32>) -> Option<Amount> {
    count.map(|count| Amount::Count(count.into()))
}

/// What is measured of a scenario's iterations: of one segment, or of all.
struct Iterations {
    latencies: Option<Stats>,
    completed: u64,
    failed: u64,
    throughput: Option<f64>,
}

impl Iterations {
    fn of_all(segments: &[SegmentOutcome]) -> Self {
        let mut latencies = Latencies::default();
        for segment in segments {
            latencies.add(&segment.iteration_duration);
        }
        let completed = total(segments.iter().map(SegmentOutcome::completed));
        let took = total(segments.iter().map(|segment| segment.ended.since(segment.began)));
        Self {
            latencies: Stats::of(&latencies),
            completed,
            failed: total(segments.iter().map(|segment| segment.failed)),
            throughput: throughput(completed, took),
        }
    }

    fn measure(&self, statistic: ScenarioMetric) -> Measured {
        let amount = match statistic {
            ScenarioMetric::ErrorRate => {
                Percent::of(self.failed, self.completed).map(Amount::Share)
            }
            ScenarioMetric::Throughput => self.throughput.map(Amount::Rate),
            _ => {
                let latency = self.latencies.as_ref().and_then(|stats| stats.latency(statistic));
                latency.map(Amount::Duration)
            }
        };
        Measured::exact(amount, Absence::NoIteration)
    }
}
