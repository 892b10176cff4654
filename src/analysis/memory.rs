//! Memory of the server's processes, by class.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exactness::{self, Exactness};
use super::growth::{self, Growth};
use super::kinds;
use super::recording::Recording;
use super::snapshots::{self, SnapshotMemory};
use crate::class::ProcessClass;
use crate::ids::ProcessIdentity;
use crate::record::profile::{Ending, PhasePeaks, ProcessRecord, ProfileLine, Sample};
use crate::units::{ByteSize, as_mib, total};

/// Memory of the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MemoryReport {
    /// By class, for classes of which there was a process.
    pub classes: Vec<ClassMemory>,
    /// The largest sum of resident memory over all processes at one tick.
    pub tree_rss_peak: Option<ByteSize>,
    /// The most processes at one tick.
    pub most_processes: u32,
    /// The most threads of all processes at one tick; `None` without a tick.
    pub most_threads: Option<u32>,
    /// The server at the ends of phases.
    pub snapshots: Vec<SnapshotMemory>,
    /// Peaks of each phase and of each group's load, where the plan wanted them.
    pub windows: Vec<PhasePeaks>,
    /// How many processes of each kind there were, in classes that hold many kinds.
    #[serde(default)]
    pub kinds: BTreeMap<ProcessClass, BTreeMap<String, u32>>,
    /// What it holds after the cooldown beyond what it held before the load; `None` when it
    /// did not come to rest, or was not read before or after.
    pub growth: Option<Growth>,
    /// Processes that have ended by the end of the cooldown, and that no parent has waited
    /// for; `None` when the server did not come to rest, or nobody looked.
    pub zombies: Option<u32>,
}

/// Memory of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassMemory {
    /// Which class.
    pub class: ProcessClass,
    /// Processes of it over the whole run.
    pub processes: u32,
    /// The most of them at one tick.
    pub concurrent: u32,
    /// The peak of the largest.
    pub peak: Option<ByteSize>,
    /// Which process that was.
    pub largest: Option<ProcessIdentity>,
    /// The average of all processes' peaks.
    pub mean_peak: Option<ByteSize>,
    /// The highest mean resident memory at one tick.
    pub mean_rss_peak: Option<ByteSize>,
    /// The largest sum of resident memory at one tick.
    pub rss_sum_peak: Option<ByteSize>,
    /// Whether the peak is exact.
    pub exactness: Exactness,
    /// Processes that exited without a final reading.
    pub unread_exits: u32,
    /// Processes that had pages in swap.
    #[serde(default)]
    pub swapped: u32,
    /// The most that one of them had in swap at one reading.
    #[serde(default)]
    pub most_swapped: Option<ByteSize>,
}

impl ClassMemory {
    /// Why its peak is a lower bound, and how high the true one may be; `None` when it
    /// is exact.
    pub fn doubt(&self) -> Option<String> {
        let most = match self.exactness {
            Exactness::Exact => return None,
            Exactness::AtMost(most) => {
                format!("estimated max {:.1} MiB", as_mib(most))
            }
            Exactness::Unbounded => "max unknown".to_owned(),
        };
        let mut why = Vec::new();
        if let Some(most) = self.most_swapped {
            let (count, most) = (self.swapped, as_mib(most));
            why.push(format!("{count} process(es) had pages in swap, one of them {most:.1} MiB"));
        }
        if self.unread_exits > 0 {
            let count = self.unread_exits;
            why.push(format!("{count} process(es) exited without a final reading"));
        }
        if why.is_empty() {
            why.push(match self.exactness {
                Exactness::Unbounded => "only sampled, or not to the end".to_owned(),
                _ => "only sampled".to_owned(),
            });
        }
        let why = why.join(" and ");
        Some(format!("{}: peak is a lower bound ({why}); {most}", self.class))
    }
}

impl MemoryReport {
    /// The most proportional memory at the end of a phase; `None` where no process
    /// could be read, as those of another user can't.
    pub fn tree_pss_peak(&self) -> Option<ByteSize> {
        self.read_snapshots().map(|snapshot| snapshot.pss).max()
    }

    /// Snapshots of which there is anything to say.
    pub fn read_snapshots(&self) -> impl Iterator<Item = &SnapshotMemory> {
        self.snapshots.iter().filter(|snapshot| snapshot.processes > 0)
    }

    /// That the machine swapped, and what that means; `None` when no process of the
    /// server was seen with pages in swap.
    pub fn swapping(&self) -> Option<String> {
        let count = total(self.classes.iter().map(|class| class.swapped));
        (count > 0).then(|| {
            format!(
                "the machine swapped: {count} server process(es) had pages in swap, which no peak \
                 includes; peaks and sums are lower bounds; use fewer users (-n) or a machine with more memory"
            )
        })
    }

    /// `subprocess: 12 ssh, 3 rsync, 1 squeue`, for each class that holds many kinds.
    pub fn kinds_in_words(&self) -> impl Iterator<Item = String> {
        kinds::in_words(&self.kinds)
    }

    /// The figures of one class.
    pub fn class(&self, class: ProcessClass) -> Option<&ClassMemory> {
        self.classes.iter().find(|memory| memory.class == class)
    }
}

/// `came_to_rest`: what the last phase's end shows is a server at rest. Of one that is
/// still at work it says nothing what it holds, and of another one neither.
pub(super) fn assemble(recording: Recording<'_>, came_to_rest: bool) -> Option<MemoryReport> {
    recording.header()?;
    let records = recording.processes.map_or(&[][..], |table| &table.processes);
    let rss = |tick: &Sample| tick.classes.values().map(|class| class.rss_sum).sum::<ByteSize>();
    let count = |tick: &Sample| total(tick.classes.values().map(|class| class.count));
    let threads = |tick: &Sample| total(tick.classes.values().map(|class| class.threads));
    let snapshots = snapshots::assemble(recording);
    let at_rest = if came_to_rest { &snapshots[..] } else { &[] };
    let last = at_rest.iter().find(|snapshot| growth::LAST_PHASES.contains(&snapshot.phase));
    Some(MemoryReport {
        classes: ProcessClass::ALL
            .into_iter()
            .filter_map(|class| class_memory(recording, records, class))
            .collect(),
        tree_rss_peak: recording.ticks().map(rss).max(),
        most_processes: recording.ticks().map(count).max().unwrap_or(0),
        most_threads: recording.ticks().map(threads).max(),
        growth: growth::assemble(at_rest),
        zombies: last.and_then(|snapshot| snapshot.zombies),
        snapshots,
        windows: windows(recording),
        kinds: kinds::of(records),
    })
}

fn class_memory(
    recording: Recording<'_>,
    records: &[ProcessRecord],
    class: ProcessClass,
) -> Option<ClassMemory> {
    let of_class: Vec<&ProcessRecord> =
        records.iter().filter(|record| belongs(record, class)).collect();
    let ticks = || recording.ticks().filter_map(|tick| tick.classes.get(&class));
    let concurrent = ticks().map(|tick| tick.count).max().unwrap_or(0);
    if of_class.is_empty() && concurrent == 0 {
        return None;
    }
    let peaks: Vec<(ByteSize, ProcessIdentity)> = of_class
        .iter()
        .filter_map(|record| Some((peak_as(record, class)?, record.identity)))
        .collect();
    let largest = peaks.iter().max_by_key(|(peak, _)| *peak);
    let sampled = ticks().map(|tick| tick.rss_max).max();
    // Marks are above what was sampled, but not those of an older time.
    let is_sampled = largest.is_none()
        || !recording.lists_processes() && sampled > largest.map(|(peak, _)| *peak);
    let sum = total(peaks.iter().map(|(peak, _)| peak.as_u64()));
    let count = u64::try_from(peaks.len()).unwrap_or(u64::MAX);
    let ended: Vec<&ProcessRecord> =
        of_class.iter().copied().filter(|record| record.class == class).collect();
    let unread = ended.iter().filter(|record| matches!(record.ending, Ending::Unread { .. }));
    let unread = unread.count();
    let swapped = || ended.iter().filter_map(|record| record.swapped);
    Some(ClassMemory {
        class,
        processes: u32::try_from(of_class.len()).unwrap_or(u32::MAX),
        concurrent,
        peak: if is_sampled { sampled } else { largest.map(|(peak, _)| *peak) },
        largest: largest.filter(|_| !is_sampled).map(|(_, identity)| *identity),
        mean_peak: sum.checked_div(count).map(ByteSize),
        mean_rss_peak: ticks()
            .filter_map(|tick| tick.rss_sum.as_u64().checked_div(u64::from(tick.count)))
            .max()
            .map(ByteSize),
        rss_sum_peak: ticks().map(|tick| tick.rss_sum).max(),
        exactness: if is_sampled && sampled.is_some() {
            Exactness::Unbounded
        } else {
            exactness::of(recording, &ended)
        },
        unread_exits: u32::try_from(unread).unwrap_or(u32::MAX),
        swapped: u32::try_from(swapped().count()).unwrap_or(u32::MAX),
        most_swapped: swapped().max(),
    })
}

/// A worker was "starting" until it took its title, and is what it became.
fn belongs(record: &ProcessRecord, class: ProcessClass) -> bool {
    record.class == class
        || (class == ProcessClass::StartingExecutor && record.peak_while_starting.is_some())
}

fn peak_as(record: &ProcessRecord, class: ProcessClass) -> Option<ByteSize> {
    if record.class == class { record.peak } else { record.peak_while_starting }
}

fn windows(recording: Recording<'_>) -> Vec<PhasePeaks> {
    let peaks = recording.lines.iter().filter_map(|line| match line {
        ProfileLine::PhasePeaks(peaks) => Some(peaks.clone()),
        _ => None,
    });
    peaks.collect()
}
