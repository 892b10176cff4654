//! Growth: PSS of the idle server after the load, beyond that before the load. Mostly memory
//! that executors keep.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::snapshots::SnapshotMemory;
use crate::class::ProcessClass;
use crate::record::profile::{ClassSnapshot, Phase};
use crate::units::ByteSize;

/// Growth of the server from the end of the baseline to the end of the last phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Growth {
    /// Growth of the PSS of all processes; 0 if it shrank. `None` if a process could not be
    /// read before the load: the growth would be too high by its PSS.
    pub pss: Option<ByteSize>,
    /// Number of processes that could not be read at the end of the baseline.
    pub unread_before: u32,
    /// Number of processes that could not be read at the end of the last phase: the growth is
    /// then a lower bound.
    pub unread_after: u32,
    /// Growth by class, for classes with a process in either snapshot.
    pub classes: Vec<ClassGrowth>,
}

/// Processes of one class before and after the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassGrowth {
    /// Process class.
    pub class: ProcessClass,
    /// Snapshot at the end of the baseline.
    pub before: ClassSnapshot,
    /// Snapshot at the end of the last phase.
    pub after: ClassSnapshot,
}

/// Last phases: of a run, and of a profile that belongs to no run.
pub(super) const LAST_PHASES: [Phase; 2] = [Phase::Cooldown, Phase::Watch];

/// Growth between the two snapshots; `None` if one of them is missing.
pub(super) fn assemble(snapshots: &[SnapshotMemory]) -> Option<Growth> {
    let before = snapshots.iter().find(|snapshot| snapshot.phase == Phase::Baseline)?;
    let after = snapshots.iter().find(|snapshot| LAST_PHASES.contains(&snapshot.phase))?;
    let classes: BTreeSet<ProcessClass> =
        before.classes.keys().chain(after.classes.keys()).copied().collect();
    let of = |snapshot: &SnapshotMemory, class| {
        snapshot.classes.get(&class).copied().unwrap_or_default()
    };
    Some(Growth {
        pss: (before.unread == 0)
            .then(|| ByteSize(after.pss.as_u64().saturating_sub(before.pss.as_u64()))),
        unread_before: before.unread,
        unread_after: after.unread,
        classes: classes
            .into_iter()
            .map(|class| ClassGrowth { class, before: of(before, class), after: of(after, class) })
            .collect(),
    })
}
