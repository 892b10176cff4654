//! Checks of what users and the server saw against the thresholds of the plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use super::server_view::ServerView;
use crate::metric::{Amount, Part, ScenarioMetric, Subject, Threshold};
use crate::record::outcome::SegmentOutcome;
use crate::record::server_metrics::Quantile;

/// Check of one threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ThresholdCheck {
    /// Threshold of the plan.
    pub threshold: Threshold,
    /// Measured amount; `None` if nothing was measured.
    pub measured: Option<Amount>,
    /// Result of the check.
    pub state: ThresholdState,
}

/// Result of checking a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ThresholdState {
    /// Measured amount as required.
    Met,
    /// Measured amount not as required.
    Breached,
    /// Nothing to check: no iteration of the scenario completed.
    NoIteration,
    /// Nothing to check: no iteration got to the step.
    NoStep,
    /// Nothing to check: only a load with an arrival rate drops iterations.
    NoArrivalRate,
    /// Nothing to check: the server does not export the figure, or did not observe anything.
    NoServerFigure,
    /// Not decided by the server's metrics: they do not cover the whole load, or end below the
    /// limit.
    Incomplete,
    /// Limit in another unit than the metric, in a damaged file.
    OtherUnit,
}

impl ThresholdState {
    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Met => "ok",
            Self::Breached => "BREACHED",
            Self::NoIteration | Self::NoStep | Self::NoArrivalRate | Self::NoServerFigure => {
                "skipped"
            }
            Self::Incomplete | Self::OtherUnit => "not checked",
        }
    }

    /// Reason why the threshold was skipped; `None` if it was not.
    pub const fn skipped(self) -> Option<&'static str> {
        match self {
            Self::NoIteration => Some("no iteration completed"),
            Self::NoStep => Some("no iteration got to the step"),
            Self::NoArrivalRate => Some("the scenario has no arrival rate"),
            Self::NoServerFigure => Some("the server has no such figure"),
            Self::Met | Self::Breached | Self::Incomplete | Self::OtherUnit => None,
        }
    }
}

impl ThresholdCheck {
    /// Measured amount as text, which tells it from the limit; `None` if nothing was measured.
    pub fn measured_text(&self) -> Option<String> {
        Some(self.measured?.beside(self.threshold.limit))
    }
}

/// Checks the thresholds of a run.
pub(super) fn assemble(evidence: &Evidence, server: Option<&ServerView>) -> Vec<ThresholdCheck> {
    let check_of = |threshold: &Threshold| match &threshold.metric.subject {
        Subject::Scenario(id, part) => {
            let outcome = evidence.outcomes.get(id);
            of_iterations(threshold, part, outcome.map_or(&[], |outcome| &outcome.segments))
        }
        Subject::Server(figure) => {
            let statistic = threshold.metric.statistic;
            let measured = server.and_then(|view| view.quantile(figure, statistic));
            of_server(threshold, measured, server.is_some_and(ServerView::is_complete))
        }
    };
    evidence.plan.thresholds.iter().map(check_of).collect()
}

fn of_iterations(
    threshold: &Threshold,
    part: &Part,
    segments: &[SegmentOutcome],
) -> ThresholdCheck {
    let measured = threshold.measure(segments);
    let state = match (measured, part) {
        (Some(amount), _) => compared(threshold, amount),
        (None, Part::Step(_)) => ThresholdState::NoStep,
        (None, _) if threshold.metric.statistic == ScenarioMetric::Dropped => {
            ThresholdState::NoArrivalRate
        }
        (None, Part::Whole | Part::Stage(_)) => ThresholdState::NoIteration,
    };
    ThresholdCheck { threshold: threshold.clone(), measured, state }
}

/// Check of a figure of the server's own metrics. What they do not cover may have breached the
/// threshold.
fn of_server(
    threshold: &Threshold,
    measured: Option<Quantile>,
    is_complete: bool,
) -> ThresholdCheck {
    let is_lower_bound = measured.is_some_and(Quantile::is_lower_bound);
    let measured = measured.map(|quantile| Amount::Duration(quantile.duration()));
    let is_upper = threshold.comparison.is_upper();
    let state = match measured.map(|amount| compared(threshold, amount)) {
        // What is not covered, or above a lower bound, changes nothing in these.
        Some(ThresholdState::Breached) if is_upper || !is_lower_bound => ThresholdState::Breached,
        Some(ThresholdState::Met) if is_complete && !(is_upper && is_lower_bound) => {
            ThresholdState::Met
        }
        Some(ThresholdState::OtherUnit) => ThresholdState::OtherUnit,
        None if is_complete => ThresholdState::NoServerFigure,
        _ => ThresholdState::Incomplete,
    };
    ThresholdCheck { threshold: threshold.clone(), measured, state }
}

fn compared(threshold: &Threshold, amount: Amount) -> ThresholdState {
    match threshold.holds(amount) {
        Some(true) => ThresholdState::Met,
        Some(false) => ThresholdState::Breached,
        None => ThresholdState::OtherUnit,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::clock::Timestamp;

    fn check(threshold: &Threshold, segments: &[SegmentOutcome]) -> ThresholdCheck {
        of_iterations(threshold, threshold.metric.part().unwrap(), segments)
    }

    #[rstest]
    #[case::met(Some(0.2), true, ThresholdState::Met)]
    #[case::breached(Some(0.3), true, ThresholdState::Breached)]
    #[case::breached_in_what_is_covered(Some(0.3), false, ThresholdState::Breached)]
    #[case::met_in_what_is_covered(Some(0.2), false, ThresholdState::Incomplete)]
    #[case::not_exported(None, true, ThresholdState::NoServerFigure)]
    #[case::nothing_read(None, false, ThresholdState::Incomplete)]
    fn a_threshold_on_the_server_is_met_only_by_figures_of_the_whole_load(
        #[case] seconds: Option<f64>,
        #[case] is_complete: bool,
        #[case] state: ThresholdState,
    ) {
        let threshold: Threshold = "server lag p99 < 250ms".parse().unwrap();
        let measured = seconds.map(|seconds| Quantile::Within(Duration::from_secs_f64(seconds)));
        assert_eq!(of_server(&threshold, measured, is_complete).state, state);
    }

    #[rstest]
    #[case::an_upper_limit_above_it("server lag p99 < 2000s", ThresholdState::Incomplete)]
    #[case::an_upper_limit_below_it("server lag p99 < 1s", ThresholdState::Breached)]
    #[case::a_lower_limit_above_it("server lag p99 > 2000s", ThresholdState::Incomplete)]
    #[case::a_lower_limit_below_it("server lag p99 > 1s", ThresholdState::Met)]
    fn a_quantile_above_the_last_bucket_is_a_lower_bound(
        #[case] threshold: &str,
        #[case] state: ThresholdState,
    ) {
        let measured = Some(Quantile::Above(Duration::from_secs(1_000)));
        assert_eq!(of_server(&threshold.parse().unwrap(), measured, true).state, state);
    }

    fn segment() -> SegmentOutcome {
        let mut segment = SegmentOutcome::begin(Timestamp::default(), 1);
        segment.succeeded = 1;
        segment.iteration_duration.record(Duration::from_secs(3));
        segment
    }

    #[rstest]
    #[case::met("p95 < 5s", ThresholdState::Met)]
    #[case::breached("p99.9 < 2s", ThresholdState::Breached)]
    #[case::step_without_samples("step status/get p95 < 5s", ThresholdState::NoStep)]
    #[case::dropped_without_an_arrival_rate("dropped < 5", ThresholdState::NoArrivalRate)]
    #[case::throughput_without_a_duration("throughput > 1/s", ThresholdState::NoIteration)]
    fn a_threshold_without_a_measurement_is_skipped(
        #[case] condition: &str,
        #[case] state: ThresholdState,
    ) {
        let threshold: Threshold = format!("api:status {condition}").parse().unwrap();
        assert_eq!(check(&threshold, &[segment()]).state, state);
    }

    #[test]
    fn a_percentile_without_samples_is_skipped() {
        let threshold: Threshold = "api:status p50 < 1ms".parse().unwrap();
        let check = check(&threshold, &[]);
        assert_eq!((check.state, check.measured), (ThresholdState::NoIteration, None));
        assert!(check.state.skipped().is_some());
    }

    #[test]
    fn a_limit_in_another_unit_is_not_checked() {
        let threshold: Threshold = "api:status p50 < 1ms".parse().unwrap();
        let threshold = Threshold { limit: Amount::Count(1), ..threshold };
        assert_eq!(check(&threshold, &[segment()]).state, ThresholdState::OtherUnit);
    }
}
