//! Probe launches of `api:launch_cancel`, without which no wedge would show.

use super::Resolver;
use crate::plan::PlannedScenario;
use crate::units::counted;

impl Resolver<'_> {
    /// Checks that at least one launch is a probe, where the number of iterations is known.
    pub(super) fn check_probe_launches(&mut self, scenarios: &[PlannedScenario]) {
        for planned in scenarios {
            let Some(cancellations) = &planned.cancellations else { continue };
            let distance = u64::from(cancellations.probe_every);
            if let Some(iterations) = planned.iterations().filter(|it| *it < distance) {
                self.error(format!(
                    "{}: none of {} is a probe launch (1 of {distance}), which alone shows a \
                     wedge; use more iterations (--iterations, -n, --for) or a lower --probe-every",
                    planned.id,
                    counted(iterations, "iteration")
                ));
            }
        }
    }
}
