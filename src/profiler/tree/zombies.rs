//! Members that have ended and that no parent has waited for: they hold a pid each, and
//! no memory.

use crate::ids::ProcessIdentity;
use crate::profiler::source::ProcessSource;

/// Up to so many are looked at in each tick; more only every so often. A server may
/// have thousands.
const LOOKED_AT_EACH_TICK: usize = 32;

/// The zombies of the tree, as they were when last looked at.
#[derive(Debug, Default)]
pub(super) struct Zombies(Vec<ProcessIdentity>);

impl Zombies {
    /// Takes up a process that has just ended, if it waits to be reaped.
    pub(super) fn add(&mut self, source: &mut impl ProcessSource, process: ProcessIdentity) {
        if is_zombie(source, process) {
            self.0.push(process);
        }
    }

    /// Whether a zombie is known to have been a member.
    pub(super) fn knows(&self, process: ProcessIdentity) -> bool {
        self.0.contains(&process)
    }

    /// Forgets those that were reaped, and counts the others. `is_due`: however many
    /// there are.
    pub(super) fn count(&mut self, source: &mut impl ProcessSource, is_due: bool) -> u32 {
        if is_due || self.0.len() <= LOOKED_AT_EACH_TICK {
            self.0.retain(|&process| is_zombie(source, process));
        }
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

fn is_zombie(source: &mut impl ProcessSource, process: ProcessIdentity) -> bool {
    source.look_up(process.pid).is_some_and(|now| now.zombie && now.identity == process)
}
