//! Checks of what users saw against the thresholds of the plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::metric::{Amount, Part, ScenarioMetric, Threshold};
use crate::record::outcome::SegmentOutcome;

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
    /// Limit in another unit than the metric, in a damaged file.
    OtherUnit,
}

impl ThresholdState {
    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Met => "ok",
            Self::Breached => "BREACHED",
            Self::NoIteration | Self::NoStep | Self::NoArrivalRate => "skipped",
            Self::OtherUnit => "not checked",
        }
    }

    /// Reason why the threshold was skipped; `None` if it was not.
    pub const fn skipped(self) -> Option<&'static str> {
        match self {
            Self::NoIteration => Some("no iteration completed"),
            Self::NoStep => Some("no iteration got to the step"),
            Self::NoArrivalRate => Some("the scenario has no arrival rate"),
            Self::Met | Self::Breached | Self::OtherUnit => None,
        }
    }
}

/// Checks the thresholds of a run.
pub(super) fn assemble(evidence: &Evidence) -> Vec<ThresholdCheck> {
    let check_of = |threshold: &Threshold| {
        let outcome = evidence.outcomes.get(&threshold.metric.scenario);
        check(threshold, outcome.map_or(&[], |outcome| &outcome.segments))
    };
    evidence.plan.thresholds.iter().map(check_of).collect()
}

fn check(threshold: &Threshold, segments: &[SegmentOutcome]) -> ThresholdCheck {
    let measured = threshold.measure(segments);
    let state = match (measured, &threshold.metric.part) {
        (Some(amount), _) => match threshold.holds(amount) {
            Some(true) => ThresholdState::Met,
            Some(false) => ThresholdState::Breached,
            None => ThresholdState::OtherUnit,
        },
        (None, Part::Step(_)) => ThresholdState::NoStep,
        (None, _) if threshold.metric.statistic == ScenarioMetric::Dropped => {
            ThresholdState::NoArrivalRate
        }
        (None, Part::Whole | Part::Stage(_)) => ThresholdState::NoIteration,
    };
    ThresholdCheck { threshold: threshold.clone(), measured, state }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::clock::Timestamp;

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
