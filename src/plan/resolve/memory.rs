//! Whether a plan fits into the machine's memory.

use super::Resolver;
use crate::config::SizeSetting;
use crate::plan::PlannedScenario;
use crate::plan::capacity::{self, Capacity, Here};
use crate::units::ByteSize;

impl Resolver<'_> {
    /// Available memory that is left alone.
    pub(super) fn memory_floor(&self) -> ByteSize {
        match self.config.safety.memory_floor {
            None | Some(SizeSetting::Auto) => self.machine.default_floor(),
            Some(SizeSetting::Size(size)) => size,
        }
    }

    /// Lowers the concurrency of scenarios until they fit. A plan that does not even then is
    /// refused, unless somebody wants it all the same.
    pub(super) fn capacity(
        &mut self,
        scenarios: &mut [PlannedScenario],
        floor: ByteSize,
        here: Here,
    ) -> Capacity {
        let machine = self.machine;
        let available = machine.memory_available;
        let usable = ByteSize(available.as_u64().saturating_sub(floor.as_u64()));
        capacity::fit(scenarios, usable, here).unwrap_or_else(|misfit| {
            if !self.request.yes {
                self.error(format!(
                    "this plan needs at least {} of memory, and {usable} can be used here \
                     ({available} available, of which {floor} stay free{})\n  hint: fewer scenarios \
                     (-r, --api), a larger machine, or --yes to try it all the same",
                    misfit.least,
                    machine.memory_limit()
                ));
            }
            Capacity { wanted: misfit.least, planned: misfit.least, usable }
        })
    }
}
