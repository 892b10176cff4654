//! Memory check: whether a plan fits into the machine's memory.

use super::shape::Form;
use super::{Basis, Resolver};
use crate::config::SizeSetting;
use crate::plan::PlannedScenario;
use crate::plan::capacity::{self, Capacity, LocalParts};
use crate::units::ByteSize;

impl Resolver<'_> {
    /// Available memory that is kept free.
    pub(super) fn memory_floor(&self) -> ByteSize {
        match self.config.safety.memory_floor {
            None | Some(SizeSetting::Auto) => self.machine.default_floor(),
            Some(SizeSetting::Size(size)) => size,
        }
    }

    /// Reduces the concurrency of scenarios until they fit. A plan that still does not fit is a
    /// usage error, except with `--yes`.
    pub(super) fn capacity(
        &mut self,
        scenarios: &mut [PlannedScenario],
        floor: ByteSize,
        local: LocalParts<'_>,
        basis: &Basis,
    ) -> Capacity {
        let machine = self.machine;
        let available = machine.memory_available;
        let usable = ByteSize(available.as_u64().saturating_sub(floor.as_u64()));
        let is_too_large = self.exceeds_memory(basis.server_size, usable, floor);
        let has_no_cap = |planned: &PlannedScenario| {
            let form = basis.shapes.get(&planned.id).map(|shaped| &shaped.form);
            matches!(form, Some(Form::Arrivals(_, None)))
        };
        capacity::fit(scenarios, usable, local, has_no_cap).unwrap_or_else(|error| {
            // A size that is too large is an error already.
            if !self.request.yes && !is_too_large {
                let of_clusters = capacity::memory_of_clusters_that_stay(scenarios, local);
                let (clusters, fewer) = match of_clusters {
                    ByteSize(0) => (String::new(), "fewer scenarios (-r, --api)"),
                    size => (
                        format!(", {size} of it for clusters that stay until the teardown"),
                        "fewer users (-n), iterations (--iterations) or scenarios (-r, --api)",
                    ),
                };
                self.error(format!(
                    "not enough memory: the plan needs {}{clusters}, {usable} is usable \
                     ({available} available, {floor} kept free{})\n  hint: use {fewer}, a larger \
                     machine, or --yes to run anyway",
                    error.reduced.planned,
                    machine.memory_limit()
                ));
            }
            error.reduced
        })
    }
}
