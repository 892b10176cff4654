//! Members that have ended and that no parent has waited for: they hold a pid each, and
//! no memory.

use crate::ids::ProcessIdentity;
use crate::process::ProcessGlance;
use crate::profiler::source::ProcessSource;

/// Up to so many are looked at in each tick; more only every so often. A server may
/// have thousands.
const LOOKED_AT_EACH_TICK: usize = 32;

/// The zombies of the tree, as they were when last looked at, and those about to be.
#[derive(Debug, Default)]
pub(super) struct Zombies(Vec<ProcessIdentity>);

impl Zombies {
    /// Takes up a process that has just ended, if it is still there: it may have given
    /// its memory back and not be a zombie yet.
    pub(super) fn add(&mut self, source: &mut impl ProcessSource, process: ProcessIdentity) {
        if look_up(source, process).is_some() {
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
        let mut count = self.0.len();
        if is_due || count <= LOOKED_AT_EACH_TICK {
            count = 0;
            self.0.retain(|&process| {
                let seen = look_up(source, process);
                count += usize::from(seen.is_some_and(|seen| seen.zombie));
                seen.is_some()
            });
        }
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// This very process, if it is still there.
fn look_up(source: &mut impl ProcessSource, process: ProcessIdentity) -> Option<ProcessGlance> {
    source.look_up(process.pid).filter(|seen| seen.identity == process)
}
