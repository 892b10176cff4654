//! Findings on scenarios: failures, breached thresholds, an overloaded load generator.

use std::time::Duration;

use super::{About, Case, Findings, Severity, lost_its_server};
use crate::analysis::evidence::Evidence;
use crate::analysis::scenarios::{ScenarioReport, ScenarioState};
use crate::analysis::thresholds::ThresholdState;
use crate::metric::{Amount, ScenarioMetric, Threshold};
use crate::record::outcome::{Ended, FailureTally, SegmentKind};
use crate::scenario::{ScenarioId, ScenarioKind};
use crate::units::{Percent, total};

/// Share of iterations without a result, in percent, up to which the figures stand for all.
const MAX_LOST_PERCENT: f64 = 10.0;

impl Findings {
    pub(super) fn of_scenarios(&mut self, case: &Case<'_>) {
        let (mut stopped, mut unstarted) = (Vec::new(), Vec::new());
        for scenario in case.scenarios {
            let id = scenario.id;
            let about = About::Scenario(id);
            self.of_load_generator(scenario);
            match scenario.state {
                ScenarioState::Succeeded | ScenarioState::ClientFailed => {}
                ScenarioState::Failed if follows_from_kills(case, id) => {
                    self.add_about(
                        about,
                        Severity::OverBudget,
                        format!(
                            "{id}: {} of {} iterations failed since the kernel killed server \
                             processes at the server's size",
                            scenario.failed(),
                            scenario.completed()
                        ),
                    );
                }
                // No scenario can succeed without its server, so such failures prove nothing.
                ScenarioState::Failed if lost_its_server(case) => {
                    self.add_about(
                        about,
                        Severity::Inconclusive,
                        format!(
                            "{id}: {} of {} iterations failed after the server was lost",
                            scenario.failed(),
                            scenario.completed()
                        ),
                    );
                }
                ScenarioState::Failed => {
                    let worst = scenario
                        .failures
                        .iter()
                        .filter(|kind| kind.is_error())
                        // The quoted reason must be one of the failures that the finding counts.
                        .filter(|kind| !is_counted_apart(scenario, kind))
                        .max_by_key(|kind| kind.count);
                    let worst = worst
                        .map(|kind| {
                            let example = brief(&kind.example.to_string());
                            format!("; {}x {example}", kind.count)
                        })
                        .unwrap_or_default();
                    self.add_about(
                        about,
                        Severity::ScenarioFailed,
                        format!(
                            "{id}: {} of {} iterations failed{}{worst}",
                            scenario.failed(),
                            scenario.completed(),
                            timeout_clause(case.evidence, id)
                        ),
                    );
                }
                ScenarioState::Stopped => stopped.push(id.to_string()),
                ScenarioState::NoResult if !case.evidence.was_loaded() => {
                    unstarted.push(id.to_string());
                }
                ScenarioState::NoResult => {
                    let why = match case.evidence.outcomes.contains_key(&id) {
                        true => "no iteration completed",
                        false => "its process exited without one (see load.log)",
                    };
                    let message = format!("{id}: no result, {why}");
                    self.add_about(about, Severity::Inconclusive, message);
                }
            }
        }
        if !unstarted.is_empty() {
            self.add(
                Severity::Inconclusive,
                format!("the run ended before the load: {}", unstarted.join(", ")),
            );
        }
        if !stopped.is_empty() {
            self.add(
                Severity::Inconclusive,
                format!("stopped before all iterations ran: {}", stopped.join(", ")),
            );
        }
    }

    /// Adds a finding on iterations that failed because of the load generator.
    fn of_load_generator(&mut self, scenario: &ScenarioReport) {
        let faults = scenario
            .failures
            .iter()
            .filter_map(|kind| kind.example.client_fault().map(|fault| (kind, fault)));
        let Some((worst, fault)) = faults.max_by_key(|(kind, _)| kind.count) else { return };
        // Earlier builds did not count such iterations; their errors are the best estimate.
        let iterations = match scenario.client_failed() {
            0 => worst.count,
            iterations => iterations,
        };
        self.add_about(
            About::Scenario(scenario.id),
            Severity::Inconclusive,
            format!(
                "{}: the load generator failed in {iterations} iterations, which say nothing \
                 about the server; {}x {}; {}",
                scenario.id,
                worst.count,
                brief(&worst.example.to_string()),
                fault.hint()
            ),
        );
    }

    /// Adds findings on errors that are expected on certain servers only. If all iterations ended
    /// in one, the scenario is inconclusive.
    pub(super) fn of_unjudged(&mut self, case: &Case<'_>) {
        for scenario in case.scenarios.iter().filter(|scenario| scenario.unjudged() > 0) {
            let (unjudged, completed) = (scenario.unjudged(), scenario.completed());
            let mut servers: Vec<&str> = scenario
                .failures
                .iter()
                .filter_map(|kind| kind.expected_only_on.as_deref())
                .collect();
            servers.sort_unstable();
            servers.dedup();
            self.add_about(
                About::Scenario(scenario.id),
                if unjudged == completed { Severity::Inconclusive } else { Severity::Note },
                format!(
                    "{}: {unjudged} of {completed} iterations ended in an error that is expected \
                     only on {}; whether this server is one is unknown",
                    scenario.id,
                    servers.join(", or on ")
                ),
            );
        }
    }

    /// Adds notes on retries: SkyPilot's SDK retries in the same cases, so they are no failures.
    pub(super) fn of_retries(&mut self, case: &Case<'_>) {
        for scenario in case.scenarios.iter().filter(|scenario| scenario.retries() > 0) {
            let (id, retries) = (scenario.id, scenario.retries());
            if id.kind() == ScenarioKind::Hold {
                let message =
                    format!("{id}: {retries}x reconnected after the loss of a connection");
                self.add_about(About::Scenario(id), Severity::Note, message);
                continue;
            }
            self.add_about(
                About::Scenario(id),
                Severity::Note,
                format!(
                    "{}: {}x retried, as SkyPilot's SDK does when no server or worker is free or \
                     a log stream breaks; latencies include the waiting",
                    id, retries
                ),
            );
        }
    }

    /// Adds notes on iterations without a result: arrivals that were dropped, and iterations that
    /// were interrupted.
    pub(super) fn of_lost_iterations(&mut self, case: &Case<'_>) {
        for scenario in case.scenarios {
            let about = About::Scenario(scenario.id);
            let (dropped, interrupted) = (scenario.dropped(), scenario.interrupted());
            let scheduled: u64 = total(scenario.segments.iter().map(|segment| segment.scheduled));
            let limits_dropped = case.thresholds.iter().any(|check| {
                let threshold = &check.threshold;
                threshold.metric.scenario() == Some(scenario.id) && threshold.limits_dropped()
            });
            let unexplained = interrupted.saturating_add(if limits_dropped { 0 } else { dropped });
            let is_much = Percent::of(unexplained, scheduled)
                .is_some_and(|share| share.value() > MAX_LOST_PERCENT);
            let severity = if is_much { Severity::Inconclusive } else { Severity::Note };
            let consequence = if is_much { "; the figures are only of the others" } else { "" };
            if dropped > 0 {
                let message = format!(
                    "{}: {dropped} of {scheduled} arrivals dropped, since {} iterations were \
                     active{consequence}",
                    scenario.id, scenario.concurrency
                );
                self.add_about(about.clone(), severity, message);
            }
            if interrupted > 0 {
                let id = scenario.id;
                let message = match id.kind() {
                    ScenarioKind::Hold => format!(
                        "{id}: {interrupted} of {scheduled} connections had no line until the end \
                         of the load{consequence}"
                    ),
                    _ => format!(
                        "{id}: {interrupted} of {scheduled} iterations interrupted, since they ran \
                         longer than the load and its graceful-stop{consequence}"
                    ),
                };
                self.add_about(about, severity, message);
            }
            self.of_empty_stages(case, scenario);
        }
    }

    /// Adds a finding on stages without an iteration, in which the server may have hung: all users
    /// were still waiting.
    fn of_empty_stages(&mut self, case: &Case<'_>, scenario: &ScenarioReport) {
        let planned = case.evidence.plan.scenario(scenario.id);
        let Some(timed) = planned.and_then(|planned| planned.shape.timed()) else { return };
        if scenario.state != ScenarioState::Succeeded {
            return;
        }
        let has_iteration = |wanted: u32| {
            scenario.segments.iter().any(|segment| {
                matches!(segment.kind, SegmentKind::Stage { number, .. } if number == wanted)
                    && segment.completed() > 0
            })
        };
        for (number, text) in timed.loaded_stages() {
            if !has_iteration(number) {
                let id = scenario.id;
                let message = format!("{id}: no iteration in stage {number} (`{text}`)");
                self.add_about(About::Scenario(id), Severity::Inconclusive, message);
            }
        }
    }

    pub(super) fn of_thresholds(&mut self, case: &Case<'_>) {
        for check in case.thresholds {
            let threshold = &check.threshold;
            let (severity, message) = match (check.state, check.measured) {
                // The finding on the scenario counts its failed iterations.
                (ThresholdState::Breached, _) if threshold.limits_errors() => continue,
                (ThresholdState::Breached, Some(measured)) => breach(case, threshold, measured),
                (ThresholdState::Met, _) => continue,
                (ThresholdState::Incomplete, _) => {
                    let message = format!(
                        "{threshold}: threshold not checked, the server's own metrics do not cover \
                         the whole load, or end below the limit"
                    );
                    (Severity::Inconclusive, message)
                }
                (state, _) => match state.skipped() {
                    Some(reason) => {
                        (Severity::Note, format!("{threshold}: threshold skipped, {reason}"))
                    }
                    None => (
                        Severity::Inconclusive,
                        format!("{threshold}: threshold not checked, its unit is not the metric's"),
                    ),
                },
            };
            self.add_about(About::Threshold(threshold.clone()), severity, message);
        }
    }

    pub(super) fn of_send_lateness(&mut self, case: &Case<'_>) {
        let limit = case.evidence.plan.validity.send_lateness_p99;
        for scenario in case.scenarios.iter().filter(|s| is_overloaded(case, s.id)) {
            let worst = scenario
                .segments
                .iter()
                .filter_map(|segment| segment.send_lateness)
                .map(|l| l.p99)
                .max();
            self.add_about(
                About::Scenario(scenario.id),
                Severity::Inconclusive,
                format!(
                    "{}: load generator overloaded, requests sent {:.3} s late (p99, limit {}); \
                     latencies include this delay",
                    scenario.id,
                    worst.unwrap_or_default().as_secs_f64(),
                    humantime::format_duration(limit)
                ),
            );
        }
    }
}

/// Whether iterations with this kind of failure are counted as `client_failed`, apart from the
/// failed ones. Earlier builds counted them as failed.
fn is_counted_apart(scenario: &ScenarioReport, kind: &FailureTally) -> bool {
    scenario.client_failed() > 0 && kind.example.client_fault().is_some()
}

/// Whether all failed iterations of a scenario follow from kills at the server's size.
fn follows_from_kills(case: &Case<'_>, id: ScenarioId) -> bool {
    case.kills.is_some_and(|kills| kills.explain_all_of(case.evidence, id))
}

/// Severity and message of a breached threshold.
fn breach(case: &Case<'_>, threshold: &Threshold, measured: Amount) -> (Severity, String) {
    let metric = &threshold.metric;
    let (sign, limit) = (threshold.comparison.sign(), threshold.limit.typed());
    let measured = measured.beside(threshold.limit);
    let breach = format!("{metric}: {measured}, threshold {sign} {limit}");
    let is_of_errors =
        metric.statistic == ScenarioMetric::ErrorRate && threshold.comparison.is_upper();
    let follows = |id| is_of_errors && follows_from_kills(case, id);
    if metric.scenario().is_some_and(follows) {
        let cause = "since the kernel killed server processes at the server's size";
        (Severity::OverBudget, format!("{breach}, {cause}"))
    } else if metric.scenario().is_some_and(|id| is_overloaded(case, id)) {
        // Latencies include the load generator's own delay.
        (Severity::Inconclusive, format!("{breach}, with an overloaded load generator"))
    } else if lost_its_server(case) {
        (Severity::Inconclusive, format!("{breach}, after the server was lost"))
    } else {
        (Severity::ScenarioFailed, breach)
    }
}

/// Whether the load generator of a scenario was overloaded: requests sent later than the plan's
/// limit (p99, in any segment).
fn is_overloaded(case: &Case<'_>, id: ScenarioId) -> bool {
    let limit = case.evidence.plan.validity.send_lateness_p99;
    case.scenarios
        .iter()
        .filter(|scenario| scenario.id == id)
        .flat_map(|scenario| &scenario.segments)
        .any(|segment| segment.send_lateness.is_some_and(|lateness| lateness.p99 > limit))
}

/// Clause on a scenario that reached its time limit, and may have no failed iteration; else empty.
fn timeout_clause(evidence: &Evidence, id: ScenarioId) -> String {
    if evidence.outcomes.get(&id).map(|outcome| outcome.ended) != Some(Ended::TimedOut) {
        return String::new();
    }
    // A ramp has fractions of a second.
    let limit = Duration::from_secs(evidence.plan.time_limit(id).as_secs());
    format!(", time limit of {} reached", humantime::format_duration(limit))
}

/// Beginning of a message; the table of errors has all of it.
fn brief(text: &str) -> String {
    const LENGTH: usize = 140;
    match text.char_indices().nth(LENGTH) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}..", &text[..end]),
    }
}
