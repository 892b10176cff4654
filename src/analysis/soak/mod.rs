//! Soak: growth of memory per hour over a load, of the whole server, of each class and of each
//! process.
//!
//! It is that of anonymous memory, where it was read. The rest of RSS is mapped files, which the
//! kernel drops from all processes at once when it needs pages, and maps again when they are used:
//! steps of some MiB in each executor, which are no growth and hide it.
//!
//! What grows at first is no leak: modules that a first request imports, caches, allocator arenas.
//! So a warm-up is left out, from the start of the load and from the start of each process. A
//! class is followed through replaced processes by what each of them gains while it lives
//! (`gains.rs`). The slope and its interval are in `trend.rs`.

mod decide;
mod gains;
mod trend;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use decide::time_to_decide;

use self::trend::Point;
use super::recording::Recording;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::profile::{ProcessReading, ProcessRecord, Readings};
use crate::units::{self, ByteSize, GrowthRate};

/// Longest warm-up.
const LONGEST_WARM_UP: Duration = Duration::from_secs(30 * 60);

/// Share of the load that the warm-up takes at most: a quarter.
const WARM_UP_SHARE: u32 = 4;

/// Shortest load with an interval: a quarter of it is the warm-up, the rest takes twelve windows of
/// 30 s.
pub(crate) const SHORTEST_LOAD: Duration = Duration::from_secs(9 * 60);

/// Growth of memory per hour over the load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GrowthRates {
    /// Memory that is looked at.
    pub memory: GrowingMemory,
    /// Length of the load, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub load: Duration,
    /// Time that is left out after the start of the load, and after the start of each process, in
    /// seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub warm_up: Duration,
    /// Growth of the sum over all processes.
    pub all_processes: RateEstimate,
    /// Growth by class, for classes with a process that outlived its warm-up.
    pub classes: Vec<ClassGrowthRate>,
    /// Growth of each process with an interval, the fastest first.
    pub processes: Vec<ProcessGrowthRate>,
}

/// Memory whose growth is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GrowingMemory {
    /// Resident memory without mapped files (`RssAnon` and `RssShmem` in `proc_pid_status(5)`).
    Anonymous,
    /// RSS, in profiles without readings of anonymous memory.
    Rss,
}

/// Growth per hour of the processes of one class: what they gain together while they live.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassGrowthRate {
    /// Process class.
    pub class: ProcessClass,
    /// Number of processes that outlived their warm-up.
    pub processes: u32,
    /// Growth.
    pub growth: RateEstimate,
}

/// Growth per hour of one process.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProcessGrowthRate {
    /// Process.
    pub identity: ProcessIdentity,
    /// Class of the process.
    pub class: ProcessClass,
    /// Growth.
    pub growth: RateInterval,
}

/// Estimate of a growth per hour, or the reason why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RateEstimate {
    /// Estimate with its interval.
    Interval(RateInterval),
    /// Readings over too short a time.
    TooShort,
}

/// Growth per hour with an interval that covers the true one with a probability of 95 %, in bytes
/// per hour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RateInterval {
    /// Lower end.
    pub low: GrowthRate,
    /// Estimate.
    pub estimate: GrowthRate,
    /// Upper end.
    pub high: GrowthRate,
}

/// Class of a process, and the time from which on it counts: the end of its warm-up.
struct Start {
    class: ProcessClass,
    from: Timestamp,
}

/// Starts of all processes.
type Starts = BTreeMap<ProcessIdentity, Start>;

impl GrowingMemory {
    /// Anonymous memory in a profile that has any.
    fn of(readings: &[&Readings]) -> Self {
        let mut processes = readings.iter().flat_map(|one| &one.processes);
        match processes.any(|process| process.anonymous.is_some()) {
            true => Self::Anonymous,
            false => Self::Rss,
        }
    }

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous memory",
            Self::Rss => "RSS",
        }
    }

    /// Size of a process; `None` if it was not read, as of one that has just started.
    fn size(self, process: &ProcessReading) -> Option<ByteSize> {
        match self {
            Self::Anonymous => process.anonymous,
            Self::Rss => Some(process.rss),
        }
    }
}

impl RateEstimate {
    /// Estimate with its interval; `None` if there is none.
    pub const fn interval(self) -> Option<RateInterval> {
        match self {
            Self::Interval(interval) => Some(interval),
            Self::TooShort => None,
        }
    }
}

impl RateInterval {
    /// Whether memory grows: all of the interval is above zero.
    pub fn is_growth(self) -> bool {
        self.low > GrowthRate::default()
    }
}

impl std::fmt::Display for RateInterval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [low, high] =
            [self.low, self.high].map(|rate| units::in_tenths(rate.as_mib_per_hour()));
        f.pad(&format!("{} ({low} to {high})", self.estimate))
    }
}

impl GrowthRates {
    /// Growth of a class; `None` if no process of it outlived its warm-up.
    pub fn class(&self, class: ProcessClass) -> Option<&ClassGrowthRate> {
        self.classes.iter().find(|one| one.class == class)
    }

    /// Fastest growing process of a class; `None` if none of them grows.
    pub fn fastest(&self, class: ProcessClass) -> Option<&ProcessGrowthRate> {
        self.processes.iter().find(|one| one.class == class && one.growth.is_growth())
    }
}

/// Growth between the two ends of a load; `None` without readings of single processes.
pub(super) fn assemble(
    recording: Recording<'_>,
    (began, ended): (Timestamp, Timestamp),
) -> Option<GrowthRates> {
    recording.readings().next()?;
    let load = ended.since(began);
    let warm_up = LONGEST_WARM_UP.min(load / WARM_UP_SHARE);
    let from = began.plus(warm_up);
    let readings: Vec<&Readings> =
        recording.readings().filter(|one| from <= one.at && one.at <= ended).collect();
    let first = readings.first().map_or(from, |one| one.at);
    let records = recording.processes.iter().flat_map(|table| &table.processes);
    let start = |record: &ProcessRecord| {
        let from = record.first_seen.max(began).plus(warm_up);
        (record.identity, Start { class: record.class, from })
    };
    let starts: Starts = records.map(start).collect();
    let memory = GrowingMemory::of(&readings);
    let sum =
        |one: &Readings| one.processes.iter().filter_map(|process| memory.size(process)).sum();
    let all: Vec<Point> = readings.iter().map(|one| point(first, one.at, sum(one))).collect();
    Some(GrowthRates {
        memory,
        load,
        warm_up,
        all_processes: trend::of(&all),
        classes: gains::by_class(memory, &readings, &starts),
        processes: of_processes(memory, &readings, &starts),
    })
}

/// Growth of each process with an interval, the fastest first.
fn of_processes(
    memory: GrowingMemory,
    readings: &[&Readings],
    starts: &Starts,
) -> Vec<ProcessGrowthRate> {
    let mut points: BTreeMap<ProcessIdentity, Vec<Point>> = BTreeMap::new();
    for one in readings {
        for process in &one.processes {
            if starts.get(&process.identity()).is_some_and(|start| start.from <= one.at)
                && let Some(size) = memory.size(process)
            {
                let of_process = points.entry(process.identity()).or_default();
                of_process.push(point(readings[0].at, one.at, size));
            }
        }
    }
    let growth = |(identity, points): (&ProcessIdentity, &Vec<Point>)| {
        let class = starts.get(identity)?.class;
        let growth = trend::of(points).interval()?;
        Some(ProcessGrowthRate { identity: *identity, class, growth })
    };
    let mut processes: Vec<ProcessGrowthRate> = points.iter().filter_map(growth).collect();
    processes.sort_by(|one, other| {
        let [one, other] = [one, other].map(|it| it.growth.estimate.as_bytes_per_hour());
        other.total_cmp(&one)
    });
    processes
}

#[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52 bytes")]
fn point(first: Timestamp, at: Timestamp, size: ByteSize) -> Point {
    Point { hours: at.since(first).as_secs_f64() / 3600.0, bytes: size.as_u64() as f64 }
}

#[cfg(test)]
mod tests;
