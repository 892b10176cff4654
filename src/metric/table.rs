//! Table of metrics: a row for each statistic of a process class, of the whole server and of a
//! scenario.

use super::Unit;

/// Properties of a statistic, equal for all subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name in flags, files and messages.
    pub name: &'static str,
    /// Column heading, or text at the start of a row.
    pub heading: &'static str,
    /// Unit of the amounts.
    pub unit: Unit,
    /// Direction in which the figure gets worse.
    pub worse: Worse,
    /// Kind of limit that can be set.
    pub limits: Limits,
    /// Condition of a run under which the figure is measured.
    pub needs: Needs,
    /// Place in reports, with and without a limit.
    pub place: Place,
    /// Minimum number of samples to show the figure: with fewer, a percentile is the maximum.
    pub samples: u64,
}

/// Direction in which a figure gets worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worse {
    /// Higher figures are worse.
    Higher,
    /// Lower figures are worse.
    Lower,
}

/// Kind of limit that can be set for a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// Neither budget nor threshold.
    None,
    /// Budget: on the server's memory, processes and threads.
    Budget,
    /// Threshold: on what users of a scenario see.
    Threshold,
}

/// Condition of a run under which a figure is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Unconditional: measured in every run.
    Nothing,
    /// Server not replaced, and idle after the load.
    IdleAfter,
    /// Server not replaced, and idle before and after the load.
    IdleBeforeAndAfter,
}

/// Place of a figure in reports, with and without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Column of the table of classes or scenarios.
    Column,
    /// Row of the table of peaks.
    Peaks,
    /// Row of the server's totals.
    Totals,
    /// Key figure; with a budget also a row of the server's totals.
    KeyFigure,
    /// Row of the table of growth per hour.
    GrowthRates,
    /// Row of the server's totals with a budget; otherwise not shown.
    Nowhere,
}

impl Row {
    /// Defaults of a size: higher is worse, and no limit can be set.
    const SIZE: Self = Self {
        name: "",
        heading: "",
        unit: Unit::Size,
        worse: Worse::Higher,
        limits: Limits::None,
        needs: Needs::Nothing,
        place: Place::Column,
        samples: 1,
    };
    /// Defaults of a count: higher is worse, and no limit can be set.
    const COUNT: Self = Self { unit: Unit::Count, ..Self::SIZE };
    /// Defaults of a growth per hour, which has a table of its own and can have a budget.
    const GROWTH_RATE: Self = Self {
        unit: Unit::GrowthRate,
        limits: Limits::Budget,
        place: Place::GrowthRates,
        ..Self::SIZE
    };
    /// Defaults of a duration: higher is worse, and no limit can be set.
    const DURATION: Self = Self { unit: Unit::Duration, ..Self::SIZE };
}

/// Declares the statistics of one kind of subject, each with its row.
macro_rules! statistics {
    ($(#[$about:meta])* $kind:ident {
        $($(#[$doc:meta])* $statistic:ident: $base:ident { $($field:ident: $value:expr),* $(,)? },)*
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind {
            $($(#[$doc])* $statistic,)*
        }

        impl $kind {
            /// Statistics in the order of reports.
            pub const ALL: &'static [Self] = &[$(Self::$statistic),*];

            /// Row of the statistic in the table.
            pub const fn row(self) -> &'static Row {
                match self {
                    $(Self::$statistic => {
                        const ROW: Row = Row { $($field: $value,)* ..Row::$base };
                        &ROW
                    })*
                }
            }
        }
    };
}

statistics! {
    /// Statistic of the processes of one class.
    ClassMetric {
        /// Number of processes over the whole run.
        Count: COUNT { name: "count", heading: "count" },
        /// Largest number of processes in one sample.
        Concurrent: COUNT { name: "concurrent", heading: "concurrent" },
        /// Peak of the largest process.
        MaxPeak: SIZE { name: "max-peak", heading: "max peak", limits: Limits::Budget },
        /// Mean of all processes' peaks.
        MeanPeak: SIZE { name: "mean-peak", heading: "mean peak" },
        /// Largest RSS sum in one sample.
        MaxSum: SIZE { name: "max-sum", heading: "max sum" },
        /// Growth per hour of the memory of the class's processes, over the load.
        GrowthRate: GROWTH_RATE { name: "growth-rate", heading: "growth per hour" },
    }
}

statistics! {
    /// Statistic of the server as a whole.
    ServerMetric {
        /// Largest RSS sum over the server's processes.
        TreeRss: SIZE {
            name: "tree-rss",
            heading: "process tree RSS",
            limits: Limits::Budget,
            place: Place::Peaks,
        },
        /// Largest PSS sum over the server's processes, read at phase ends.
        TreePss: SIZE {
            name: "tree-pss",
            heading: "process tree PSS",
            limits: Limits::Budget,
            place: Place::Peaks,
        },
        /// Growth of the server's PSS from the end of the baseline to the end of the cooldown.
        Growth: SIZE {
            name: "growth",
            heading: "PSS growth after cooldown, MiB",
            limits: Limits::Budget,
            needs: Needs::IdleBeforeAndAfter,
            place: Place::Totals,
        },
        /// Growth per hour of the memory of the server's processes, over the load.
        GrowthRate: GROWTH_RATE { name: "growth-rate", heading: "growth per hour" },
        /// Largest number of threads of all server processes in one sample.
        Threads: COUNT {
            name: "threads",
            heading: "max threads",
            limits: Limits::Budget,
            place: Place::Totals,
        },
        /// CPU time of the server from the start of the load to the end of the cooldown, for each
        /// completed iteration.
        CpuPerIteration: DURATION {
            name: "cpu-per-iteration",
            heading: "CPU per iteration",
            place: Place::Totals,
        },
        /// Zombies at the end of the cooldown: exited server processes not reaped by a parent.
        Zombies: COUNT {
            name: "zombies",
            heading: "zombies after cooldown",
            limits: Limits::Budget,
            needs: Needs::IdleAfter,
            place: Place::Totals,
        },
        /// Server processes that still run 3 s after the server was stopped.
        LeakedProcesses: COUNT {
            name: "leaked-processes",
            heading: "leaked processes",
            limits: Limits::Budget,
            place: Place::Totals,
        },
        /// Largest number of server processes in one sample.
        Processes: COUNT {
            name: "processes",
            heading: "max processes",
            place: Place::KeyFigure,
        },
    }
}

statistics! {
    /// Statistic of the iterations of one scenario. Latencies count from the scheduled start.
    ScenarioMetric {
        /// Shortest latency.
        Min: DURATION { name: "min", heading: "min", limits: Limits::Threshold },
        /// Mean latency.
        Avg: DURATION { name: "avg", heading: "avg", limits: Limits::Threshold },
        /// Median latency.
        P50: DURATION { name: "p50", heading: "p50", limits: Limits::Threshold },
        /// 90th percentile of latencies.
        P90: DURATION { name: "p90", heading: "p90", limits: Limits::Threshold, samples: 10 },
        /// 95th percentile of latencies.
        P95: DURATION { name: "p95", heading: "p95", limits: Limits::Threshold, samples: 20 },
        /// 99th percentile of latencies.
        P99: DURATION { name: "p99", heading: "p99", limits: Limits::Threshold, samples: 100 },
        /// 99.9th percentile of latencies.
        P999: DURATION {
            name: "p99.9",
            heading: "p99.9",
            limits: Limits::Threshold,
            samples: 1_000,
        },
        /// Longest latency.
        Max: DURATION { name: "max", heading: "max", limits: Limits::Threshold },
        /// Share of iterations that failed.
        ErrorRate: COUNT {
            name: "error-rate",
            heading: "failed",
            unit: Unit::Share,
            limits: Limits::Threshold,
            place: Place::Nowhere,
        },
        /// Completed iterations per second.
        Throughput: COUNT {
            name: "throughput",
            heading: "iter/s",
            unit: Unit::Rate,
            worse: Worse::Lower,
            limits: Limits::Threshold,
        },
        /// Scheduled iterations that were not started.
        Dropped: COUNT {
            name: "dropped",
            heading: "dropped",
            limits: Limits::Threshold,
            place: Place::Nowhere,
        },
    }
}

impl ScenarioMetric {
    /// Percentile from 0 to 100; `None` if the statistic is none.
    pub const fn percentile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(50.0),
            Self::P90 => Some(90.0),
            Self::P95 => Some(95.0),
            Self::P99 => Some(99.0),
            Self::P999 => Some(99.9),
            Self::Min
            | Self::Avg
            | Self::Max
            | Self::ErrorRate
            | Self::Throughput
            | Self::Dropped => None,
        }
    }
}
