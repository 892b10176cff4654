//! Findings on missing files, phases and iterations: a run without them must not pass.

use super::{About, Case, Findings, Severity};
use crate::analysis::Evidence;
use crate::plan::PlannedScenario;
use crate::record::events::Event;
use crate::record::outcome::{Ended, ScenarioOutcome, SegmentOutcome};
use crate::record::profile::Phase;
use crate::scenario::ScenarioKind;
use crate::units::total;

impl Findings {
    pub(super) fn of_missing(&mut self, case: &Case<'_>) {
        let evidence = case.evidence;
        // A run that ended before its server was ready has no environment yet.
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
        // Written when the server starts, before the first phase.
        if evidence.server_size.is_none()
            && evidence.plan.size.is_some()
            && evidence.phases_began().is_some()
        {
            self.add(
                Severity::Inconclusive,
                "server-size.json is missing: what held the server to its size is unknown",
            );
        }
        self.of_missing_phases(evidence);
        self.of_missing_iterations(evidence);
    }

    /// Adds a finding on phases that every completed run has.
    fn of_missing_phases(&mut self, evidence: &Evidence) {
        // Other findings say why a run was not completed.
        if !evidence.completed_cooldown() {
            return;
        }
        let missing: Vec<&str> = [Phase::Baseline, Phase::Load, Phase::Cooldown]
            .into_iter()
            .filter(|phase| !evidence.began(*phase))
            .map(Phase::name)
            .collect();
        if !missing.is_empty() {
            self.add(
                Severity::Inconclusive,
                format!("events.jsonl has no beginning of these phases: {}", missing.join(", ")),
            );
        }
    }

    /// Adds findings on finished scenarios with fewer iterations than planned.
    fn of_missing_iterations(&mut self, evidence: &Evidence) {
        for planned in &evidence.plan.scenarios {
            let Some(outcome) = evidence.outcomes.get(&planned.id) else { continue };
            let (found, expected) = (iterations(outcome), expected_iterations(outcome, planned));
            // A scenario without its shared resources records a single failed segment.
            let has_only_failures =
                outcome.segments.iter().all(|segment| iterations_of(segment) == segment.failed);
            if outcome.ended == Ended::Finished && !has_only_failures && found < expected {
                self.add_about(
                    About::Scenario(planned.id),
                    Severity::Inconclusive,
                    format!("{}: outcome file has {found} of {expected} iterations", planned.id),
                );
            }
        }
    }
}

/// Whether `resources.json` must exist: written after the setup, and again after the teardown.
fn must_have_resources(evidence: &Evidence) -> bool {
    let is_loaded = evidence.plan.launches() && evidence.was_loaded();
    is_loaded || evidence.began(Phase::SetUp) || evidence.began(Phase::TearDown)
}

/// Whether `nodes.json` must exist: written when the nodes are stopped, before the run's last
/// event.
fn must_have_nodes(evidence: &Evidence) -> bool {
    let infrastructure = &evidence.plan.infrastructure;
    // An emulated cloud has an API even if nothing is launched.
    infrastructure.is_local()
        && (evidence.plan.launches() || infrastructure.has_cloud_libraries())
        && evidence.events.iter().any(|logged| logged.event == Event::Ended)
}

fn iterations(outcome: &ScenarioOutcome) -> u64 {
    total(outcome.segments.iter().map(iterations_of))
}

/// Number of iterations of a segment, with those that the load generator could not finish.
fn iterations_of(segment: &SegmentOutcome) -> u64 {
    let dropped = segment.dropped.unwrap_or(0);
    total([segment.completed(), segment.client_failed, dropped, segment.interrupted])
}

fn expected_iterations(outcome: &ScenarioOutcome, planned: &PlannedScenario) -> u64 {
    let scheduled = total(outcome.segments.iter().map(|segment| segment.scheduled));
    match planned.id.kind() {
        // These run until the load ends, so the plan has no number.
        ScenarioKind::Hold | ScenarioKind::Probe => scheduled,
        ScenarioKind::Api | ScenarioKind::Cli => {
            // A lost segment is missing in `scheduled` as well, so the plan's number counts too.
            let iterations = planned.shape.iterations().map(u64::from);
            scheduled.max(iterations.unwrap_or(0) * u64::from(planned.users))
        }
    }
}
