//! The server at the ends of phases.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recording::Recording;
use crate::class::ProcessClass;
use crate::record::profile::{ClassSnapshot, Phase, ProfileLine, Snapshot};
use crate::units::{ByteSize, total};

/// The tree at the end of a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Processes that have ended and that no parent has waited for, at the last tick of
    /// the phase; `None` when it had none.
    pub zombies: Option<u32>,
    /// Their proportional memory, in sum.
    pub pss: ByteSize,
    /// The memory that is theirs alone, in sum.
    pub uss: ByteSize,
    /// By class.
    pub classes: BTreeMap<ProcessClass, ClassSnapshot>,
}

/// Snapshots of a profile, in the order of its phases.
pub(super) fn assemble(recording: Recording<'_>) -> Vec<SnapshotMemory> {
    let mut zombies = None;
    let mut snapshots = Vec::new();
    for line in recording.lines {
        match line {
            ProfileLine::Sample(tick) => zombies = Some(tick.zombies),
            // The next phase has ticks of its own, or none.
            ProfileLine::Snapshot(snapshot) => {
                snapshots.push(at_phase_end(snapshot, zombies.take()));
            }
            _ => {}
        }
    }
    snapshots
}

fn at_phase_end(snapshot: &Snapshot, zombies: Option<u32>) -> SnapshotMemory {
    let classes = || snapshot.classes.values();
    SnapshotMemory {
        phase: snapshot.phase,
        processes: total(classes().map(|class| class.count)),
        unread: snapshot.unread,
        threads: total(classes().map(|class| class.threads)),
        zombies,
        pss: classes().map(|class| class.pss).sum(),
        uss: classes().map(|class| class.uss).sum(),
        classes: snapshot.classes.clone(),
    }
}
