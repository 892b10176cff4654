//! Findings on cancelled launches: suspected wedges, and loads that could not show one.

use super::{About, Case, Findings, Severity, lost_its_server};
use crate::analysis::scenarios::{ScenarioReport, ScenarioState};
use crate::scenario::{LAUNCH, ScenarioId, step_and_infra};
use crate::units::counted;

/// Number of suspected wedges with a finding each.
const SHOWN: usize = 3;

impl Findings {
    /// Adds a finding on each of the first suspected wedges, and one on the others.
    pub(super) fn of_wedges(&mut self, case: &Case<'_>) {
        let severity = match lost_its_server(case) {
            // Its executors end with a server, and so do their requests.
            true => Severity::Inconclusive,
            false => Severity::ScenarioFailed,
        };
        for scenario in case.scenarios {
            let (id, wedges) = (scenario.id, &scenario.suspected_wedges);
            for wedge in wedges.iter().take(SHOWN) {
                self.add_about(About::Scenario(id), severity, format!("{id}: {wedge}"));
            }
            if let Some(more) = wedges.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                let message =
                    format!("{id}: {}, see report.json", counted(more, "more suspected wedge"));
                self.add_about(About::Scenario(id), severity, message);
            }
            self.of_missing_probes(scenario);
        }
    }

    /// Adds a finding on a load without a probe launch that finished: a cancelled launch ends
    /// whatever its executor does, so that only probe launches show one that hangs.
    fn of_missing_probes(&mut self, scenario: &ScenarioReport) {
        if scenario.id != ScenarioId::ApiLaunchCancel || scenario.state != ScenarioState::Succeeded
        {
            return;
        }
        let mut steps = scenario.segments.iter().flat_map(|segment| segment.steps.keys());
        if !steps.any(|step| step_and_infra(step).0 == LAUNCH) {
            self.add_about(
                About::Scenario(scenario.id),
                Severity::Inconclusive,
                format!(
                    "{}: no probe launch finished, so a wedge would not show; use more iterations \
                     or a lower --probe-every",
                    scenario.id
                ),
            );
        }
    }
}
