//! Memory of the server's processes, by class.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::class::ProcessClass;
use crate::ids::ProcessIdentity;
use crate::sample::{ClassSnapshot, Ending, Phase, ProcessRecord, ProfileLine};
use crate::units::ByteSize;

/// Memory of the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MemoryReport {
    /// By class, for classes of which there was a process.
    pub classes: Vec<ClassMemory>,
    /// The largest sum of resident memory over all processes at one tick.
    pub tree_rss_peak: Option<ByteSize>,
    /// The most processes at one tick.
    pub most_processes: u32,
    /// Proportional memory at the ends of phases.
    pub snapshots: Vec<SnapshotMemory>,
}

/// Memory of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassMemory {
    /// Which class.
    pub class: ProcessClass,
    /// Processes of it over the whole run.
    pub processes: u32,
    /// The most of them at one tick.
    pub most_at_once: u32,
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
    /// Processes that exited without a final reading: with any, the peak is a
    /// lower bound.
    pub unread_exits: u32,
}

/// Proportional memory of the tree at the end of a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SnapshotMemory {
    /// Which phase ended.
    pub phase: Phase,
    /// Processes that were read.
    pub processes: u32,
    /// Processes that could not be read.
    pub unread: u32,
    /// Their threads.
    pub threads: u32,
    /// Their proportional memory, in sum.
    pub pss: ByteSize,
    /// The memory that is theirs alone, in sum.
    pub uss: ByteSize,
    /// By class.
    pub classes: BTreeMap<ProcessClass, ClassSnapshot>,
}

impl MemoryReport {
    /// The figures of one class.
    pub fn class(&self, class: ProcessClass) -> Option<&ClassMemory> {
        self.classes.iter().find(|memory| memory.class == class)
    }
}

pub(super) fn assemble(evidence: &Evidence) -> Option<MemoryReport> {
    evidence.header()?;
    let records = evidence.processes.as_ref().map_or(&[][..], |table| &table.processes);
    let tree_sum = |tick: &crate::sample::Tick| {
        ByteSize(tick.classes.values().map(|class| class.rss_sum.as_u64()).sum())
    };
    let tree_count =
        |tick: &crate::sample::Tick| tick.classes.values().map(|class| class.count).sum();
    Some(MemoryReport {
        classes: ProcessClass::ALL
            .into_iter()
            .filter_map(|class| class_memory(evidence, records, class))
            .collect(),
        tree_rss_peak: evidence.ticks().map(tree_sum).max(),
        most_processes: evidence.ticks().map(tree_count).max().unwrap_or(0),
        snapshots: snapshots(evidence),
    })
}

fn class_memory(
    evidence: &Evidence,
    records: &[ProcessRecord],
    class: ProcessClass,
) -> Option<ClassMemory> {
    let of_class: Vec<&ProcessRecord> =
        records.iter().filter(|record| belongs(record, class)).collect();
    let ticks = || evidence.ticks().filter_map(|tick| tick.classes.get(&class));
    let most_at_once = ticks().map(|tick| tick.count).max().unwrap_or(0);
    if of_class.is_empty() && most_at_once == 0 {
        return None;
    }
    let peaks: Vec<(ByteSize, ProcessIdentity)> = of_class
        .iter()
        .filter_map(|record| Some((peak_as(record, class)?, record.identity)))
        .collect();
    let largest = peaks.iter().max_by_key(|(peak, _)| *peak);
    let sum: u64 = peaks.iter().map(|(peak, _)| peak.as_u64()).sum();
    let count = u64::try_from(peaks.len()).unwrap_or(u64::MAX);
    let unread = of_class
        .iter()
        .filter(|record| record.class == class && record.ending == Ending::ExitedUnread)
        .count();
    Some(ClassMemory {
        class,
        processes: u32::try_from(of_class.len()).unwrap_or(u32::MAX),
        most_at_once,
        peak: largest.map(|(peak, _)| *peak).or_else(|| ticks().map(|tick| tick.rss_max).max()),
        largest: largest.map(|(_, identity)| *identity),
        mean_peak: sum.checked_div(count).map(ByteSize),
        mean_rss_peak: ticks()
            .filter_map(|tick| tick.rss_sum.as_u64().checked_div(u64::from(tick.count)))
            .max()
            .map(ByteSize),
        rss_sum_peak: ticks().map(|tick| tick.rss_sum).max(),
        unread_exits: u32::try_from(unread).unwrap_or(u32::MAX),
    })
}

/// A worker was "starting" until it took its title, and is what it became.
fn belongs(record: &ProcessRecord, class: ProcessClass) -> bool {
    record.class == class
        || (class == ProcessClass::Starting && record.peak_while_starting.is_some())
}

fn peak_as(record: &ProcessRecord, class: ProcessClass) -> Option<ByteSize> {
    if record.class == class { record.peak } else { record.peak_while_starting }
}

fn snapshots(evidence: &Evidence) -> Vec<SnapshotMemory> {
    let snapshots = evidence.profile.iter().filter_map(|line| match line {
        ProfileLine::Snapshot(snapshot) => Some(snapshot),
        _ => None,
    });
    snapshots
        .map(|snapshot| {
            let classes = || snapshot.classes.values();
            SnapshotMemory {
                phase: snapshot.phase,
                processes: classes().map(|class| class.count).sum(),
                unread: snapshot.unread,
                threads: classes().map(|class| class.threads).sum(),
                pss: ByteSize(classes().map(|class| class.pss.as_u64()).sum()),
                uss: ByteSize(classes().map(|class| class.uss.as_u64()).sum()),
                classes: snapshot.classes.clone(),
            }
        })
        .collect()
}
