//! The table: a row for each statistic of a class of processes, of the whole server and of
//! a scenario.

use super::Unit;

/// What is known of a statistic, whoever its subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Name in flags, files and messages.
    pub name: &'static str,
    /// Heading of its column, or beginning of its row.
    pub heading: &'static str,
    /// Unit of its amounts.
    pub unit: Unit,
    /// Which way it gets worse.
    pub worse: Worse,
    /// Kind of limit that can be set for it.
    pub limits: Limits,
    /// What a run must have had for it to be measured.
    pub needs: Needs,
    /// Where reports show it, with and without a limit.
    pub place: Place,
    /// Fewest samples from which reports show it: a percentile of fewer is their largest.
    pub samples: u64,
}

/// Which way a figure gets worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worse {
    /// More is worse.
    Higher,
    /// Less is worse.
    Lower,
}

/// Kind of limit that can be set for a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// None.
    None,
    /// A budget: on the server's memory, and on counts of what it consists of.
    Budget,
    /// A threshold: on what users see.
    Threshold,
}

/// What a run must have had for a figure to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing beside its subject.
    Nothing,
    /// One server, idle after the load.
    IdleAfter,
    /// One server, idle before the load and after it.
    IdleBeforeAndAfter,
}

/// Where reports show a figure, with and without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Column of the table of its subjects.
    Column,
    /// Row among the peaks of the server's processes.
    Peaks,
    /// Row of the server's totals.
    Totals,
    /// Key figure; a row of the server's totals where a budget is set for it.
    KeyFigure,
    /// Nowhere by itself; a row of the server's totals where a budget is set for it.
    Nowhere,
}

impl Row {
    /// Size of which more is worse, and that nobody limits.
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
    /// Count of which more is worse, and that nobody limits.
    const COUNT: Self = Self { unit: Unit::Count, ..Self::SIZE };
    /// Duration of which more is worse, and that nobody limits.
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
            /// All of them, in the order of reports.
            pub const ALL: &'static [Self] = &[$(Self::$statistic),*];

            /// Row of the table.
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
        /// Processes over the whole run.
        Count: COUNT { name: "count", heading: "count" },
        /// Most processes at one sample.
        Concurrent: COUNT { name: "concurrent", heading: "concurrent" },
        /// Peak of the largest process.
        MaxPeak: SIZE { name: "max-peak", heading: "max peak", limits: Limits::Budget },
        /// Average of all processes' peaks.
        MeanPeak: SIZE { name: "mean-peak", heading: "mean peak" },
        /// Largest RSS sum at one sample.
        MaxSum: SIZE { name: "max-sum", heading: "max sum" },
    }
}

statistics! {
    /// Statistic of the server as a whole.
    ServerMetric {
        /// Largest sum of resident memory over the server's processes.
        TreeRss: SIZE {
            name: "tree-rss",
            heading: "process tree RSS",
            limits: Limits::Budget,
            place: Place::Peaks,
        },
        /// Largest proportional memory of the server's processes at a phase's end.
        TreePss: SIZE {
            name: "tree-pss",
            heading: "process tree PSS",
            limits: Limits::Budget,
            place: Place::Peaks,
        },
        /// Proportional memory that the server holds after the cooldown, beyond what it held
        /// at the end of the baseline.
        Growth: SIZE {
            name: "growth",
            heading: "PSS growth after cooldown, MiB",
            limits: Limits::Budget,
            needs: Needs::IdleBeforeAndAfter,
            place: Place::Totals,
        },
        /// Most threads of all server processes at one sample.
        Threads: COUNT {
            name: "threads",
            heading: "max threads",
            limits: Limits::Budget,
            place: Place::Totals,
        },
        /// Processes of the server that have ended by the end of the cooldown, and that no
        /// parent has waited for.
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
        /// Most server processes at one sample.
        Processes: COUNT {
            name: "processes",
            heading: "max processes",
            place: Place::KeyFigure,
        },
    }
}

statistics! {
    /// Statistic of the iterations of one scenario, of which latencies count from the
    /// scheduled start.
    ScenarioMetric {
        /// Shortest latency.
        Min: DURATION { name: "min", heading: "min" },
        /// Average latency.
        Avg: DURATION { name: "avg", heading: "avg" },
        /// Median latency.
        P50: DURATION { name: "p50", heading: "p50", limits: Limits::Threshold },
        /// 90th percentile of latencies.
        P90: DURATION { name: "p90", heading: "p90", limits: Limits::Threshold, samples: 10 },
        /// 95th percentile of latencies.
        P95: DURATION { name: "p95", heading: "p95", limits: Limits::Threshold, samples: 20 },
        /// 99th percentile of latencies.
        P99: DURATION { name: "p99", heading: "p99", limits: Limits::Threshold, samples: 100 },
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
        },
    }
}
