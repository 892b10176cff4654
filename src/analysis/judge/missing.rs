//! What a run must have left and did not: absence of evidence is no evidence of absence.

use super::{About, Case, Findings, Severity};
use crate::analysis::Evidence;
use crate::infrastructure::Infrastructure;
use crate::plan::PlannedScenario;
use crate::record::events::Event;
use crate::record::outcome::{Ended, ScenarioOutcome, SegmentOutcome};
use crate::record::profile::Phase;
use crate::scenario::ScenarioKind;
use crate::units::total;

impl Findings {
    pub(super) fn of_missing(&mut self, case: &Case<'_>) {
        let evidence = case.evidence;
        if evidence.environment.is_none() && evidence.phases_began().is_some() {
            self.add(
                Severity::Inconclusive,
                "environment.json is missing: the SkyPilot under test is unknown",
            );
        }
        if evidence.resources.is_none() && must_have_resources(evidence) {
            self.add(
                Severity::Inconclusive,
                "resources.json is missing: teardown cannot be verified",
            );
        }
        if evidence.nodes.is_none() && must_have_nodes(evidence) {
            self.add(
                Severity::Inconclusive,
                "nodes.json is missing: the state of the nodes is unknown",
            );
        }
        self.of_missing_phases(evidence);
        self.of_missing_iterations(evidence);
    }

    /// A run that came to its end went through these, unless something stopped it.
    fn of_missing_phases(&mut self, evidence: &Evidence) {
        if !evidence.came_to_rest() {
            return;
        }
        let lost: Vec<&str> = [Phase::Baseline, Phase::Load, Phase::Cooldown]
            .into_iter()
            .filter(|phase| !evidence.began(*phase))
            .map(Phase::name)
            .collect();
        if !lost.is_empty() {
            self.add(
                Severity::Inconclusive,
                format!("events.jsonl has no beginning of these phases: {}", lost.join(", ")),
            );
        }
    }

    /// A scenario that says that it has finished has run all iterations of its plan.
    fn of_missing_iterations(&mut self, evidence: &Evidence) {
        for planned in &evidence.plan.scenarios {
            let Some(outcome) = evidence.outcomes.get(&planned.id) else { continue };
            let (taken, expected) = (iterations(outcome), expected_iterations(outcome, planned));
            // What cannot even begin, since what it shares is not there, is one failed segment.
            let is_in_vain =
                outcome.segments.iter().all(|segment| taken_in(segment) == segment.failed);
            if outcome.ended == Ended::Finished && !is_in_vain && taken < expected {
                self.add_about(
                    About::Scenario(planned.id),
                    Severity::Inconclusive,
                    format!("{}: outcome file has {taken} of {expected} iterations", planned.id),
                );
            }
        }
    }
}

/// Written at the end of the setup, and again at the end of the teardown.
fn must_have_resources(evidence: &Evidence) -> bool {
    let is_loaded = evidence.plan.launches() && evidence.was_loaded();
    is_loaded || evidence.began(Phase::SetUp) || evidence.began(Phase::TearDown)
}

/// Written when the nodes are ended, before the run's last mark.
fn must_have_nodes(evidence: &Evidence) -> bool {
    evidence.plan.infrastructure == Infrastructure::Loopback
        && evidence.plan.launches()
        && evidence.events.iter().any(|mark| mark.event == Event::Ended)
}

fn iterations(outcome: &ScenarioOutcome) -> u64 {
    total(outcome.segments.iter().map(taken_in))
}

/// Iterations that a segment tells of, those among them that the load generator could not take to
/// their end.
fn taken_in(segment: &SegmentOutcome) -> u64 {
    segment.completed().saturating_add(segment.client_failed)
}

fn expected_iterations(outcome: &ScenarioOutcome, planned: &PlannedScenario) -> u64 {
    let of_segments = total(outcome.segments.iter().map(|segment| segment.scheduled));
    match planned.id.kind() {
        // It asks for as long as the load goes on.
        ScenarioKind::Probe => of_segments,
        ScenarioKind::Api | ScenarioKind::Cli => {
            of_segments.max(u64::from(planned.users) * u64::from(planned.iterations))
        }
    }
}
