//! Memory of the server's processes: peaks by class, totals, snapshots and growth.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exactness::{self, Exactness};
use super::growth::{self, Growth};
use super::kinds;
use super::recording::Recording;
use super::snapshots::{self, SnapshotMemory};
use super::soak::{self, GrowthRates};
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::profile::{
    Ending, PhasePeaks, ProcessRecord, ProcessTable, ProfileLine, Sample,
};
use crate::units::{ByteSize, as_mib, total};

/// Memory of the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MemoryReport {
    /// Memory by class, for classes with processes.
    pub classes: Vec<ClassMemory>,
    /// Largest RSS sum of all processes in one sample; `None` without samples.
    pub tree_rss_peak: Option<ByteSize>,
    /// Largest number of processes in one sample.
    pub most_processes: u32,
    /// Largest number of threads of all processes in one sample; `None` without samples, or
    /// where threads were not read.
    pub most_threads: Option<u32>,
    /// Snapshots at phase ends.
    pub snapshots: Vec<SnapshotMemory>,
    /// Peaks of each phase and of the load of each group; empty without `--phase-peaks`.
    pub windows: Vec<PhasePeaks>,
    /// Number of processes of each kind, for the classes `subprocess` and `other`.
    #[serde(default)]
    pub kinds: BTreeMap<ProcessClass, BTreeMap<String, u32>>,
    /// Growth of the server's PSS from the baseline to the cooldown; `None` if the cooldown was
    /// not completed, or a snapshot is missing.
    pub growth: Option<Growth>,
    /// Growth of memory per hour over the load; `None` without a load, and in profiles of builds
    /// that did not read single processes.
    #[serde(default)]
    pub growth_rates: Option<GrowthRates>,
    /// Number of zombies at the end of the cooldown; `None` if the cooldown was not completed,
    /// or has no sample.
    pub zombies: Option<u32>,
}

/// Memory of one process class over the whole run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassMemory {
    /// Process class.
    pub class: ProcessClass,
    /// Number of processes over the whole run.
    pub processes: u32,
    /// Largest number of processes in one sample.
    pub concurrent: u32,
    /// Peak RSS of the largest process; `None` if no process was read.
    pub peak: Option<ByteSize>,
    /// Process with the largest peak; `None` if the peak is from the samples, which do not name
    /// processes.
    pub largest: Option<ProcessIdentity>,
    /// Mean of the peaks of all processes.
    pub mean_peak: Option<ByteSize>,
    /// Highest mean RSS in one sample.
    pub mean_rss_peak: Option<ByteSize>,
    /// Largest RSS sum in one sample.
    pub rss_sum_peak: Option<ByteSize>,
    /// Exactness of the peak.
    pub exactness: Exactness,
    /// Number of processes that exited without a final reading.
    pub unread_exits: u32,
    /// Number of processes with pages in swap.
    #[serde(default)]
    pub swapped: u32,
    /// Maximum memory of one process in swap, at one reading.
    #[serde(default)]
    pub most_swapped: Option<ByteSize>,
}

impl ClassMemory {
    /// Message with the reasons why the peak is a lower bound, and its estimated maximum; `None`
    /// if the peak is exact.
    pub fn doubt(&self) -> Option<String> {
        let estimate = match self.exactness {
            Exactness::Exact => return None,
            Exactness::AtMost(most) => {
                format!("estimated max {:.1} MiB", as_mib(most))
            }
            Exactness::Unbounded => "max unknown".to_owned(),
        };
        let mut reasons = Vec::new();
        if let Some(most) = self.most_swapped {
            let (count, most) = (self.swapped, as_mib(most));
            reasons
                .push(format!("{count} process(es) had pages in swap, one of them {most:.1} MiB"));
        }
        if self.unread_exits > 0 {
            let count = self.unread_exits;
            reasons.push(format!("{count} process(es) exited without a final reading"));
        }
        if reasons.is_empty() {
            reasons.push(match self.exactness {
                Exactness::Unbounded => "only sampled, or not to the end".to_owned(),
                _ => "only sampled".to_owned(),
            });
        }
        let reasons = reasons.join(" and ");
        Some(format!("{}: peak is a lower bound ({reasons}); {estimate}", self.class))
    }
}

impl MemoryReport {
    /// Largest PSS of the process tree at a phase end; `None` if no process could be read, as
    /// those of another user.
    pub fn tree_pss_peak(&self) -> Option<ByteSize> {
        self.read_snapshots().map(|snapshot| snapshot.pss).max()
    }

    /// Snapshots in which at least one process could be read.
    pub fn read_snapshots(&self) -> impl Iterator<Item = &SnapshotMemory> {
        self.snapshots.iter().filter(|snapshot| snapshot.processes > 0)
    }

    /// Message that the machine swapped, with the consequence; `None` if no server process was
    /// seen with pages in swap.
    pub fn swapping(&self) -> Option<String> {
        let count = total(self.classes.iter().map(|class| class.swapped));
        (count > 0).then(|| {
            format!(
                "the machine swapped: {count} server process(es) had pages in swap, which no peak \
                 includes; peaks and sums are lower bounds; use fewer users (-n) or a machine with more memory"
            )
        })
    }

    /// Counts of kinds, one line per class: `subprocess: 12 ssh, 3 rsync, 1 squeue`.
    pub fn kinds_in_words(&self) -> impl Iterator<Item = String> {
        kinds::in_words(&self.kinds)
    }

    /// Memory of one class; `None` without a process of the class.
    pub fn class(&self, class: ProcessClass) -> Option<&ClassMemory> {
        self.classes.iter().find(|memory| memory.class == class)
    }
}

/// Memory of the server; `None` without a profile. Growth and zombies need
/// `completed_cooldown`: a server that is still busy, or was replaced, has no valid ones. Growth
/// per hour is between the two ends of the load.
pub(super) fn assemble(
    recording: Recording<'_>,
    completed_cooldown: bool,
    load: Option<(Timestamp, Timestamp)>,
) -> Option<MemoryReport> {
    let header = recording.header()?;
    let records = recording.processes.map_or(&[][..], |table| &table.processes);
    let rss =
        |sample: &Sample| sample.classes.values().map(|class| class.rss_sum).sum::<ByteSize>();
    let count = |sample: &Sample| total(sample.classes.values().map(|class| class.count));
    let threads = |sample: &Sample| total(sample.classes.values().map(|class| class.threads));
    let snapshots = snapshots::assemble(recording);
    let valid = if completed_cooldown { &snapshots[..] } else { &[] };
    let last = valid.iter().find(|snapshot| growth::LAST_PHASES.contains(&snapshot.phase));
    Some(MemoryReport {
        classes: ProcessClass::ALL
            .into_iter()
            .filter_map(|class| class_memory(recording, records, class))
            .collect(),
        tree_rss_peak: recording.samples().map(rss).max(),
        most_processes: recording.samples().map(count).max().unwrap_or(0),
        most_threads: recording.samples().map(threads).max().filter(|_| header.has_threads()),
        growth: growth::assemble(valid),
        growth_rates: load.and_then(|load| soak::assemble(recording, load)),
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
    let samples = || recording.samples().filter_map(|sample| sample.classes.get(&class));
    let concurrent = samples().map(|sample| sample.count).max().unwrap_or(0);
    if of_class.is_empty() && concurrent == 0 {
        return None;
    }
    let peaks: Vec<(ByteSize, ProcessIdentity)> = of_class
        .iter()
        .filter_map(|record| Some((peak_as(record, class)?, record.identity)))
        .collect();
    let largest = peaks.iter().max_by_key(|(peak, _)| *peak);
    let sampled = samples().map(|sample| sample.rss_max).max();
    // A high-water mark is never below a sample of its process, unless the process table is
    // older than the sample.
    let is_sampled = largest.is_none()
        || !recording.has_current_table() && sampled > largest.map(|(peak, _)| *peak);
    let sum = total(peaks.iter().map(|(peak, _)| peak.as_u64()));
    let count = u64::try_from(peaks.len()).unwrap_or(u64::MAX);
    // Growth after the last reading belongs to the class that a process ended in.
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
        mean_rss_peak: samples()
            .filter_map(|sample| sample.rss_sum.as_u64().checked_div(u64::from(sample.count)))
            .max()
            .map(ByteSize),
        rss_sum_peak: samples().map(|sample| sample.rss_sum).max(),
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

/// Largest peak of each class in a process table, which may be that of a running profile.
pub fn peaks_by_class(table: &ProcessTable) -> BTreeMap<ProcessClass, ByteSize> {
    let peak = |class| {
        let of_class = table.processes.iter().filter(|record| belongs(record, class));
        Some((class, of_class.filter_map(|record| peak_as(record, class)).max()?))
    };
    ProcessClass::ALL.into_iter().filter_map(peak).collect()
}

/// Whether a process counts for a class. An executor counts twice: as `starting-executor` until
/// it set its title, and as the class it has since then.
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
