//! Memory of the server at phase ends.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recording::Recording;
use crate::class::ProcessClass;
use crate::record::profile::{ClassSnapshot, Phase, ProfileLine, Snapshot};
use crate::units::{self, ByteSize, total};

/// Server's process tree at the end of a phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SnapshotMemory {
    /// Phase that ended.
    pub phase: Phase,
    /// Number of processes that were read.
    pub processes: u32,
    /// Number of processes that could not be read; not part of any sum.
    pub unread: u32,
    /// Number of threads of the processes that were read.
    pub threads: u32,
    /// Number of zombies in the last sample of the phase; `None` if the phase has no sample.
    pub zombies: Option<u32>,
    /// Sum of PSS.
    pub pss: ByteSize,
    /// Sum of USS.
    pub uss: ByteSize,
    /// Memory by class.
    pub classes: BTreeMap<ProcessClass, ClassSnapshot>,
    /// CPU time of the server since its start, in seconds; `None` if it was not read. Lacks
    /// exited processes that no server process has waited for.
    #[serde(default, with = "units::seconds::option")]
    #[schemars(with = "Option<crate::units::Seconds>")]
    pub cpu: Option<Duration>,
}

/// Snapshots of a profile, in the order of its phases.
pub(super) fn assemble(recording: Recording<'_>) -> Vec<SnapshotMemory> {
    let mut zombies = None;
    let mut snapshots = Vec::new();
    for line in recording.lines {
        match line {
            ProfileLine::Sample(sample) => zombies = Some(sample.zombies),
            // A phase without samples must not get the zombies of the one before.
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
        cpu: snapshot.cpu,
    }
}
