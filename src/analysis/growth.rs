//! What a server at rest holds after the load beyond what it held before: memory that
//! executors keep.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::snapshots::SnapshotMemory;
use crate::class::ProcessClass;
use crate::record::profile::{ClassSnapshot, Phase};
use crate::units::ByteSize;

/// The server at the end of the baseline, and at the end of the last phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Growth {
    /// The proportional memory that all processes hold beyond what they held before; 0
    /// when they hold less. `None` when a process was not read before: then nobody knows
    /// how much they held.
    pub pss: Option<ByteSize>,
    /// Processes that were not read before.
    pub unread_before: u32,
    /// Processes that were not read after: then it is a lower bound.
    pub unread_after: u32,
    /// By class, for classes of which there was a process.
    pub classes: Vec<ClassGrowth>,
}

/// The processes of one class before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClassGrowth {
    /// Which class.
    pub class: ProcessClass,
    /// At the end of the baseline.
    pub before: ClassSnapshot,
    /// At the end of the last phase.
    pub after: ClassSnapshot,
}

/// The phases whose end shows what a server holds at last: of a run, and of a profile
/// without one.
pub(super) const LAST_PHASES: [Phase; 2] = [Phase::Cooldown, Phase::Watch];

/// Takes both snapshots: without one nothing is known.
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
