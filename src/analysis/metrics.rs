//! Measured amounts of the metrics of a server ([`crate::metric`]), from the evidence.
//!
//! An amount that is missing has a reason: a budget for a process that never ran is skipped, one
//! for a process that could not be read is inconclusive.

use std::time::Duration;

use super::Report;
use super::exactness::Exactness;
use super::memory::{ClassMemory, MemoryReport};
use super::snapshots::SnapshotMemory;
use super::soak::{RateEstimate, RateInterval};
use crate::class::ProcessClass;
use crate::metric::{Amount, ClassMetric, Metric, ServerMetric};
use crate::record::profile::Phase;
use crate::units::ByteSize;

/// Measured amount of a metric, or the reason why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measured {
    /// Amount, with its exactness.
    Value(Amount, Exactness),
    /// Growth per hour, with its interval.
    Growth(RateInterval),
    /// Reason why nothing was measured.
    Absent(Absence),
}

/// Reason why nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Server without a profile.
    NoProfile,
    /// Class without processes.
    NoProcess,
    /// Processes whose figures could not be read.
    NotRead,
    /// Load, or life of the processes, too short for an interval of the growth per hour.
    TooShort,
    /// Server that was not idle when the metric is measured.
    NotIdle,
    /// Server that was not stopped by `sky api stop`.
    NotStopped,
}

impl Measured {
    /// Measured amount.
    pub const fn amount(self) -> Option<Amount> {
        match self {
            Self::Value(amount, _) => Some(amount),
            Self::Growth(interval) => Some(Amount::GrowthRate(interval.estimate)),
            Self::Absent(_) => None,
        }
    }

    /// Measured size; `None` also for an amount in another unit.
    pub const fn size(self) -> Option<ByteSize> {
        match self {
            Self::Value(amount, _) => amount.as_size(),
            Self::Growth(_) | Self::Absent(_) => None,
        }
    }

    /// Whether the amount is a lower bound.
    pub const fn is_lower_bound(self) -> bool {
        matches!(self, Self::Value(_, Exactness::AtMost(_) | Exactness::Unbounded))
    }

    /// Exact amount, or the reason why there is none.
    fn exact(amount: Option<Amount>, otherwise: Absence) -> Self {
        amount.map_or(Self::Absent(otherwise), |amount| Self::Value(amount, Exactness::Exact))
    }

    /// Marks an amount as a lower bound if `is_lower_bound` is set.
    fn bounded(self, is_lower_bound: bool) -> Self {
        match self {
            Self::Value(amount, _) if is_lower_bound => Self::Value(amount, Exactness::Unbounded),
            other => other,
        }
    }
}

/// Sources of all metrics.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) memory: Option<&'a MemoryReport>,
    /// Memory by the server's own gauges, used without a profile.
    pub(super) gauges: &'a [ClassMemory],
    pub(super) leaked_processes: Option<u32>,
    /// Completed iterations of the load.
    pub(super) iterations: u64,
}

impl Sources<'_> {
    pub(super) fn measure(self, metric: Metric) -> Measured {
        match metric {
            Metric::Class(class, statistic) => of_class(self.memory, self.gauges, class, statistic),
            Metric::Server(statistic) => self.of_server(statistic),
        }
    }

    fn of_server(self, statistic: ServerMetric) -> Measured {
        let of_memory = |measure: &dyn Fn(&MemoryReport) -> Measured| {
            self.memory.map_or(Measured::Absent(Absence::NoProfile), measure)
        };
        let read = |amount| Measured::exact(amount, Absence::NotRead);
        match statistic {
            // `sky api stop` is observed without a profile.
            ServerMetric::LeakedProcesses => {
                Measured::exact(count(self.leaked_processes), Absence::NotStopped)
            }
            ServerMetric::TreeRss => of_memory(&MemoryReport::tree_rss),
            ServerMetric::TreePss => of_memory(&MemoryReport::tree_pss_of_run),
            ServerMetric::Growth => of_memory(&MemoryReport::pss_growth),
            ServerMetric::GrowthRate => of_memory(&|memory| {
                let rates = memory.growth_rates.as_ref();
                of_rate(rates.map(|rates| rates.all_processes))
            }),
            ServerMetric::Threads => of_memory(&|memory| read(count(memory.most_threads))),
            ServerMetric::CpuPerIteration => {
                of_memory(&|memory| memory.cpu_per_iteration(self.iterations))
            }
            ServerMetric::Zombies => {
                of_memory(&|memory| Measured::exact(count(memory.zombies), Absence::NotIdle))
            }
            ServerMetric::Processes => {
                of_memory(&|memory| read(count(Some(memory.most_processes))))
            }
        }
    }
}

impl Report {
    /// Measured amount of a metric of the whole server.
    pub fn of_server(&self, statistic: ServerMetric) -> Measured {
        let sources = Sources {
            memory: self.memory.as_ref(),
            gauges: &[],
            leaked_processes: self.leaked_processes,
            iterations: self.completed_iterations(),
        };
        sources.of_server(statistic)
    }

    /// Measured amount of a metric of a process class.
    pub fn of_class(&self, class: ProcessClass, statistic: ClassMetric) -> Measured {
        let gauges = self.server_view.as_ref().map_or(&[][..], |view| &view.classes);
        of_class(self.memory.as_ref(), gauges, class, statistic)
    }

    /// Whether the measured amount of a metric is a lower bound.
    pub fn is_lower_bound(&self, metric: Metric) -> bool {
        match metric {
            Metric::Class(class, statistic) => self.of_class(class, statistic).is_lower_bound(),
            Metric::Server(statistic) => self.of_server(statistic).is_lower_bound(),
        }
    }
}

impl MemoryReport {
    /// Measured amount of a metric of a process class.
    pub fn of_class(&self, class: ProcessClass, statistic: ClassMetric) -> Measured {
        of_class(Some(self), &[], class, statistic)
    }

    /// Largest PSS of the process tree at the end of any phase.
    pub fn tree_pss(&self) -> Measured {
        let is_incomplete = self.has_swapped() || self.snapshots.iter().any(|one| one.unread > 0);
        let peak = self.tree_pss_peak().map(Amount::Size);
        Measured::exact(peak, Absence::NotRead).bounded(is_incomplete)
    }

    /// Largest RSS of the process tree in one sample.
    pub fn tree_rss(&self) -> Measured {
        let peak = self.tree_rss_peak.map(Amount::Size);
        Measured::exact(peak, Absence::NotRead).bounded(self.has_swapped())
    }

    /// Largest PSS of the process tree at the end of a phase, of a run with a load.
    fn tree_pss_of_run(&self) -> Measured {
        // A profile of a remote server may have snapshots of the idle server only, which must not
        // pass the budget.
        let is_after_setup =
            |one: &SnapshotMemory| !matches!(one.phase, Phase::Baseline | Phase::SetUp);
        match self.read_snapshots().any(is_after_setup) {
            true => self.tree_pss(),
            false => Measured::Absent(Absence::NotRead),
        }
    }

    fn pss_growth(&self) -> Measured {
        match &self.growth {
            None => Measured::Absent(Absence::NotIdle),
            Some(growth) => Measured::exact(growth.pss.map(Amount::Size), Absence::NotRead)
                .bounded(self.has_swapped() || growth.unread_after > 0),
        }
    }

    /// CPU time of the server from the start of the load until it is idle again, for each of the
    /// load's completed iterations.
    ///
    /// At the load's last response, executors that it has started are still importing SkyPilot: in
    /// bursts of ten requests, nearly all of the four or five. How much of that falls into the load
    /// is chance, so all of it counts.
    fn cpu_per_iteration(&self, iterations: u64) -> Measured {
        let at_end_of = |phases: &[Phase]| {
            self.snapshots.iter().rev().find(|one| phases.contains(&one.phase))?.cpu
        };
        let before = at_end_of(&[Phase::Baseline, Phase::SetUp]);
        let spent = before.zip(at_end_of(&[Phase::Cooldown]));
        let spent = spent.and_then(|(before, after)| after.checked_sub(before));
        let each = spent.filter(|_| iterations > 0).map(|spent| per(spent, iterations));
        Measured::exact(each.map(Amount::Duration), Absence::NotRead)
    }

    /// Whether a server process was seen with pages in swap, which no RSS or PSS includes.
    fn has_swapped(&self) -> bool {
        self.classes.iter().any(|class| class.swapped > 0)
    }
}

fn of_class(
    memory: Option<&MemoryReport>,
    gauges: &[ClassMemory],
    class: ProcessClass,
    statistic: ClassMetric,
) -> Measured {
    let classes = memory.map_or(gauges, |memory| &memory.classes);
    let Some(found) = classes.iter().find(|found| found.class == class) else {
        let is_measured = memory.is_some() || !gauges.is_empty();
        return Measured::Absent(if is_measured { Absence::NoProcess } else { Absence::NoProfile });
    };
    let size = |size: Option<ByteSize>| Measured::exact(size.map(Amount::Size), Absence::NotRead);
    match statistic {
        ClassMetric::Count => Measured::exact(count(Some(found.processes)), Absence::NotRead),
        ClassMetric::Concurrent => Measured::exact(count(Some(found.concurrent)), Absence::NotRead),
        ClassMetric::MaxPeak => match (found.peak, found.exactness) {
            (Some(peak), exactness) => Measured::Value(Amount::Size(peak), exactness),
            // All processes were forks that exited without an exec, which have no peak.
            (None, Exactness::Exact) => Measured::Absent(Absence::NoProcess),
            (None, _) => Measured::Absent(Absence::NotRead),
        },
        ClassMetric::MeanPeak => size(found.mean_peak),
        ClassMetric::MaxSum => size(found.rss_sum_peak),
        ClassMetric::GrowthRate => {
            let rates = memory.and_then(|memory| memory.growth_rates.as_ref());
            match rates.map(|rates| (rates.class(class), rates.all_processes)) {
                Some((Some(found), _)) => of_rate(Some(found.growth)),
                // What ends before its warm-up does cannot leak for long.
                Some((None, RateEstimate::Interval(_))) => Measured::Absent(Absence::NoProcess),
                Some((None, RateEstimate::TooShort)) => Measured::Absent(Absence::TooShort),
                None => Measured::Absent(Absence::NotRead),
            }
        }
    }
}

/// Growth per hour; `None` if single processes were not read.
const fn of_rate(growth: Option<RateEstimate>) -> Measured {
    match growth {
        Some(RateEstimate::Interval(interval)) => Measured::Growth(interval),
        Some(RateEstimate::TooShort) => Measured::Absent(Absence::TooShort),
        None => Measured::Absent(Absence::NotRead),
    }
}

fn count(count: Option<u32>) -> Option<Amount> {
    count.map(|count| Amount::Count(count.into()))
}

/// Part of a time for each of `count` things.
fn per(time: Duration, count: u64) -> Duration {
    let nanos = time.as_nanos() / u128::from(count.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
