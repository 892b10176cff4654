//! Memory of the server's processes by its own gauges.
//!
//! SkyPilot names the gauge a peak of 30 s, but in 0.13.0 to 0.14.1, and in nightly builds until
//! November 2026, it is the resident memory at the last of its readings, one a second
//! (`process_monitor` in `sky/server/metrics.py`). Either way a largest gauge is a lower bound.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::Exactness;
use crate::analysis::memory::ClassMemory;
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::record::profile::ProcessTable;
use crate::record::server_metrics::{MetricsSnapshot, ProcessGauge};
use crate::units::{ByteSize, total};

/// Memory of one process by the server's own gauge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerProcess {
    /// Pid on the server's machine, or in its container.
    pub pid: u32,
    /// Process class.
    pub class: ProcessClass,
    /// Largest resident memory of all snapshots.
    pub largest: ByteSize,
    /// Number of snapshots with the process.
    pub readings: usize,
    /// Peak that the profiler measured for the process; `None` without one.
    pub profiled: Option<ByteSize>,
}

/// Gauge of a process with the time of its snapshot.
type Reading = (Timestamp, ByteSize);

/// Processes by their largest gauges, largest first.
pub(super) fn assemble(
    snapshots: &[&MetricsSnapshot],
    table: Option<&ProcessTable>,
) -> Vec<ServerProcess> {
    let of = |((pid, class), readings): ((u32, ProcessClass), Vec<Reading>)| {
        let profiled = table.iter().flat_map(|table| &table.processes);
        // A pid may be used again, or be one of another container.
        let profiled = profiled.filter(|one| one.identity.pid == pid && one.class == class);
        ServerProcess {
            pid,
            class,
            largest: largest(&readings),
            readings: readings.len(),
            profiled: profiled.filter_map(|one| one.peak).max(),
        }
    };
    let mut processes: Vec<_> = readings(snapshots).into_iter().map(of).collect();
    processes.sort_by_key(|process| std::cmp::Reverse(process.largest));
    processes
}

/// Memory by process class.
pub(super) fn classes(snapshots: &[&MetricsSnapshot]) -> Vec<ClassMemory> {
    let mut by_class: BTreeMap<ProcessClass, Vec<Vec<Reading>>> = BTreeMap::new();
    for ((_, class), readings) in readings(snapshots) {
        by_class.entry(class).or_default().push(readings);
    }
    let class = |(class, processes): (ProcessClass, Vec<Vec<Reading>>)| {
        let peaks: Vec<ByteSize> = processes.iter().map(|one| largest(one)).collect();
        let sum = total(peaks.iter().map(|peak| peak.as_u64()));
        let sums = snapshots.iter().map(|one| of_class(one, class).map(|one| one.rss).sum());
        let counts = snapshots.iter().map(|one| of_class(one, class).count());
        ClassMemory {
            class,
            processes: count(peaks.len()),
            concurrent: count(counts.max().unwrap_or(0)),
            peak: peaks.iter().copied().max(),
            largest: None,
            mean_peak: sum.checked_div(count(peaks.len()).into()).map(ByteSize),
            mean_rss_peak: None,
            rss_sum_peak: sums.max(),
            exactness: exactness(&processes, longest_pause(snapshots)),
            unread_exits: 0,
            swapped: 0,
            most_swapped: None,
        }
    };
    by_class.into_iter().map(class).collect()
}

fn readings(snapshots: &[&MetricsSnapshot]) -> BTreeMap<(u32, ProcessClass), Vec<Reading>> {
    let mut readings: BTreeMap<_, Vec<Reading>> = BTreeMap::new();
    for snapshot in snapshots {
        for gauge in &snapshot.rss {
            if let Some(class) = class_of(gauge, snapshot) {
                let of_process = readings.entry((gauge.pid, class)).or_default();
                of_process.push((snapshot.made.unwrap_or(snapshot.at), gauge.rss));
            }
        }
    }
    readings
}

/// Memory of the processes of one class in a snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::analysis) struct GaugedMemory {
    /// Number of processes.
    pub(in crate::analysis) processes: u32,
    /// Sum of resident memory.
    pub(in crate::analysis) sum: ByteSize,
    /// Resident memory of the largest process.
    pub(in crate::analysis) largest: ByteSize,
}

/// Memory of a snapshot by class; a class without processes is left out.
pub(in crate::analysis) fn memory_by_class(
    snapshot: &MetricsSnapshot,
) -> BTreeMap<ProcessClass, GaugedMemory> {
    let mut by_class: BTreeMap<ProcessClass, GaugedMemory> = BTreeMap::new();
    for gauge in &snapshot.rss {
        if let Some(class) = class_of(gauge, snapshot) {
            let memory = by_class.entry(class).or_default();
            memory.processes = memory.processes.saturating_add(1);
            memory.sum = [memory.sum, gauge.rss].into_iter().sum();
            memory.largest = memory.largest.max(gauge.rss);
        }
    }
    by_class
}

fn of_class(
    snapshot: &MetricsSnapshot,
    class: ProcessClass,
) -> impl Iterator<Item = &ProcessGauge> {
    snapshot.rss.iter().filter(move |gauge| class_of(gauge, snapshot) == Some(class))
}

/// Class of a process; `None` for a type that no known release has.
fn class_of(gauge: &ProcessGauge, snapshot: &MetricsSnapshot) -> Option<ProcessClass> {
    match gauge.role.as_str() {
        "server" => {
            let servers = snapshot.rss.iter().filter(|one| one.role == "server");
            let pids: BTreeSet<u32> = servers.map(|one| one.pid).collect();
            // Several web workers are processes of their own. A single one is the main process,
            // which has a gauge only then.
            Some(if pids.len() > 1 { ProcessClass::ServerWorker } else { ProcessClass::Server })
        }
        "worker:short" => Some(ProcessClass::ShortExecutor),
        "worker:long" => Some(ProcessClass::LongExecutor),
        _ => None,
    }
}

/// Exactness of the largest gauge of a class, by the rule for sampled peaks: no process grew faster
/// between two snapshots than the fastest growth seen of any.
fn exactness(processes: &[Vec<Reading>], unseen: Duration) -> Exactness {
    let growth = |two: &[Reading]| match two {
        [(from, before), (to, after)] => {
            let grown = after.as_u64().saturating_sub(before.as_u64());
            let micros = to.since(*from).as_micros();
            (u128::from(grown) * unseen.as_micros()).checked_div(micros)
        }
        _ => None,
    };
    let fastest =
        processes.iter().flat_map(|readings| readings.windows(2).filter_map(growth)).max();
    let Some(grown) = fastest.map(|grown| u64::try_from(grown).unwrap_or(u64::MAX)) else {
        return Exactness::Unbounded;
    };
    let peak = processes.iter().map(|readings| largest(readings)).max().unwrap_or_default();
    Exactness::AtMost(ByteSize(peak.as_u64().saturating_add(grown)))
}

/// Longest time between two snapshots.
fn longest_pause(snapshots: &[&MetricsSnapshot]) -> Duration {
    let time = |one: &MetricsSnapshot| one.made.unwrap_or(one.at);
    let pauses = snapshots.windows(2).map(|two| time(two[1]).since(time(two[0])));
    pauses.max().unwrap_or_default()
}

fn largest(readings: &[Reading]) -> ByteSize {
    readings.iter().map(|(_, rss)| *rss).max().unwrap_or_default()
}

fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
