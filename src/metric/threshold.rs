//! Thresholds: limits on what users of a scenario see, and on what the server itself measures.
//!
//! Amounts are measured from recorded segments ([`crate::record::outcome`]), after the load and
//! while it runs.

use std::cmp::Ordering;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, ScenarioMetric};
use crate::scenario::{ScenarioId, step_and_infra};
use crate::units;

/// Limit on a metric of a scenario, of one of its steps, or of the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Threshold {
    /// Limited metric.
    pub metric: ThresholdMetric,
    /// Required relation of the measured amount to the limit.
    pub comparison: Comparison,
    /// Limit, in the unit of the metric.
    pub limit: Amount,
    /// End of the load after a breach; `None` if the load goes on.
    #[serde(default)]
    pub abort: Option<Abort>,
}

/// Metric that a threshold limits: a statistic of a scenario's iterations, of one step, or of the
/// server's own figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThresholdMetric {
    /// Subject.
    pub subject: Subject,
    /// Statistic of the subject.
    pub statistic: ScenarioMetric,
}

/// Subject of a threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Part of a scenario's iterations.
    Scenario(ScenarioId, Part),
    /// Figure of the server's own metrics.
    Server(ServerFigure),
}

/// Figure of the server's own metrics, which a run reads with `--metrics` or `--metrics-url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerFigure {
    /// Lag of the event loops of all web workers.
    Lag,
    /// Time that requests spent in a queue; in both without one.
    QueueWait(Option<Queue>),
}

/// Queue of the server's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Queue of short executors.
    Short,
    /// Queue of long executors.
    Long,
}

impl Queue {
    /// Queues in the order of messages.
    pub const ALL: [Self; 2] = [Self::Short, Self::Long];

    /// Name, as the server's metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Long => "long",
        }
    }
}

/// Part of a scenario's iterations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Whole iterations, of all segments.
    Whole,
    /// Whole iterations of one stage, counted from 1.
    Stage(u32),
    /// Step of all iterations: `launch/submit` on all infras, `launch/submit @aws` on one.
    Step(String),
}

/// Required relation of a measured amount to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// Amount below the limit.
    Below,
    /// Amount of at most the limit.
    AtMost,
    /// Amount above the limit.
    Above,
    /// Amount of at least the limit.
    AtLeast,
}

/// End of the load after a breach of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Abort {
    /// Time since the start of the limited iterations before which a breach does not end the load:
    /// early figures are of few iterations.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub after: Duration,
}

impl Comparison {
    /// Comparisons in the order in which a parser tries them: `<=` before `<`.
    pub const ALL: [Self; 4] = [Self::AtMost, Self::Below, Self::AtLeast, Self::Above];

    /// Sign in texts.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Whether the limit is an upper one.
    pub const fn is_upper(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }

    /// Whether a measured amount is as required; `None` if its unit is not that of the limit.
    pub fn holds(self, measured: Amount, limit: Amount) -> Option<bool> {
        let order = measured.partial_cmp(&limit)?;
        Some(match self {
            Self::Below => order == Ordering::Less,
            Self::AtMost => order != Ordering::Greater,
            Self::Above => order == Ordering::Greater,
            Self::AtLeast => order != Ordering::Less,
        })
    }
}

impl Part {
    /// Whether the part includes a recorded step.
    pub fn includes(&self, recorded: &str) -> bool {
        match self {
            Self::Whole | Self::Stage(_) => false,
            Self::Step(step) => recorded == step || step_and_infra(recorded).0 == step,
        }
    }
}

impl ThresholdMetric {
    /// Metric of a scenario's iterations.
    pub const fn of_scenario(id: ScenarioId, part: Part, statistic: ScenarioMetric) -> Self {
        Self { subject: Subject::Scenario(id, part), statistic }
    }

    /// Scenario whose iterations the metric is about; `None` for one of the server.
    pub const fn scenario(&self) -> Option<ScenarioId> {
        match &self.subject {
            Subject::Scenario(id, _) => Some(*id),
            Subject::Server(_) => None,
        }
    }

    /// Part of a scenario's iterations; `None` for a metric of the server.
    pub const fn part(&self) -> Option<&Part> {
        match &self.subject {
            Subject::Scenario(_, part) => Some(part),
            Subject::Server(_) => None,
        }
    }
}

impl Threshold {
    /// Whether a measured amount is as required; `None` if its unit is not that of the limit.
    pub fn holds(&self, measured: Amount) -> Option<bool> {
        self.comparison.holds(measured, self.limit)
    }

    /// Whether the threshold takes the place of one from a source of less precedence: the same
    /// metric with a limit in the same direction.
    pub fn replaces(&self, other: &Self) -> bool {
        self.metric == other.metric && self.comparison.is_upper() == other.comparison.is_upper()
    }

    /// Whether the threshold is an upper limit on the share of failed iterations, which decides
    /// whether its scenario failed.
    pub fn limits_errors(&self) -> bool {
        self.is_most(ScenarioMetric::ErrorRate)
    }

    /// Whether the threshold is an upper limit on the dropped arrivals of a scenario, which says how
    /// many may be dropped.
    pub fn limits_dropped(&self) -> bool {
        self.is_most(ScenarioMetric::Dropped)
    }

    /// Whether the threshold is an upper limit on a statistic of all iterations of a scenario.
    fn is_most(&self, statistic: ScenarioMetric) -> bool {
        // That of a stage is in addition.
        self.metric.part() == Some(&Part::Whole)
            && self.metric.statistic == statistic
            && self.comparison.is_upper()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::below("<", [true, false, false])]
    #[case::at_most("<=", [true, true, false])]
    #[case::above(">", [false, false, true])]
    #[case::at_least(">=", [false, true, true])]
    fn an_amount_is_compared_with_the_limit(#[case] sign: &str, #[case] held: [bool; 3]) {
        let comparison = Comparison::ALL.into_iter().find(|it| it.sign() == sign).unwrap();
        let holds = |rate| comparison.holds(Amount::Rate(rate), Amount::Rate(2.0));
        assert_eq!([1.0, 2.0, 3.0].map(holds), held.map(Some));
        assert_eq!(comparison.holds(Amount::Count(2), Amount::Rate(2.0)), None);
    }

    #[test]
    fn a_step_without_an_infra_is_that_step_on_all_infras() {
        let step = |name: &str| Part::Step(name.to_owned());
        assert!(step("launch/get").includes("launch/get"));
        assert!(step("launch/get").includes("launch/get @aws"));
        assert!(step("launch/get @aws").includes("launch/get @aws"));
        assert!(!step("launch/get @aws").includes("launch/get @slurm/loop"));
        assert!(!step("launch/get").includes("launch/submit @aws"));
        assert!(!Part::Whole.includes("launch/get"));
    }

    #[test]
    fn a_threshold_replaces_those_of_its_metric_and_direction() {
        let of = |text: &str| text.parse::<Threshold>().unwrap();
        let flag = of("api:status p95 < 5s");
        assert!(flag.replaces(&of("api:status p95 <= 9s")));
        for other in [
            "api:status p95 > 1s",
            "api:status p99 < 9s",
            "api:validate p95 < 9s",
            "api:status step health p95 < 9s",
        ] {
            assert!(!flag.replaces(&of(other)), "{other}");
        }
    }
}
