//! Zombies: members that have exited and that no parent has reaped. Each holds a pid, and no
//! memory.

use std::time::Duration;

use crate::ids::ProcessIdentity;
use crate::process::ProcessStat;
use crate::profiler::source::ProcessSource;

/// Number of zombies up to which all are checked in each sample; more are checked only when
/// `is_due`. A server may have thousands.
const CHECKED_EACH_SAMPLE: usize = 32;

/// Zombies of the tree at the last check, and exiting processes that are about to be.
#[derive(Debug, Default)]
pub(super) struct Zombies(Vec<ProcessIdentity>);

impl Zombies {
    /// Adds a process that has just ended, unless it was reaped. It may have freed its memory
    /// and not be a zombie yet.
    pub(super) fn add(&mut self, source: &mut impl ProcessSource, process: ProcessIdentity) {
        if look_up(source, process).is_some() {
            self.0.push(process);
        }
    }

    /// Whether the process is a former member that was not reaped.
    pub(super) fn contains(&self, process: ProcessIdentity) -> bool {
        self.0.contains(&process)
    }

    /// CPU time of the zombies, and of the children that they have waited for. A parent that reaps
    /// one adds this to its own.
    pub(super) fn cpu_time(&self, source: &mut impl ProcessSource) -> Duration {
        let unreaped = self.0.iter().filter_map(|&process| {
            look_up(source, process)?;
            source.cpu_time(process.pid)
        });
        unreaped.fold(Duration::ZERO, Duration::saturating_add)
    }

    /// Number of zombies. Checks which were reaped if `is_due`, or if there are few.
    pub(super) fn count(&mut self, source: &mut impl ProcessSource, is_due: bool) -> u32 {
        // Without a check, processes that were reaped since the last one still count.
        let mut count = self.0.len();
        if is_due || count <= CHECKED_EACH_SAMPLE {
            count = 0;
            self.0.retain(|&process| {
                let seen = look_up(source, process);
                count += usize::from(seen.is_some_and(|seen| seen.zombie));
                // A process that is still exiting stays in the list, but does not count yet.
                seen.is_some()
            });
        }
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// Stat of the process, unless its pid is free or reused.
fn look_up(source: &mut impl ProcessSource, process: ProcessIdentity) -> Option<ProcessStat> {
    source.look_up(process.pid).filter(|seen| seen.identity == process)
}
