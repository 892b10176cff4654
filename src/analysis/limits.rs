//! What was measured, checked against the limits of the plan: budgets and thresholds.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use super::metrics::{Absence, Measured, Sources};
use crate::metric::{Amount, Limit, Metric, ScenarioMetric, Worse};
use crate::record::environment::Environment;

/// The source of a limit that somebody set, in a flag or in `skyload.toml`.
pub(crate) const CONFIGURED: &str = "configured";

/// One budget or threshold and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LimitCheck {
    /// What is limited.
    pub metric: Metric,
    /// Limit; `None` where SkyPilot has no constant for it, or nobody knows which.
    pub limit: Option<Amount>,
    /// Where the limit comes from.
    pub source: String,
    /// What was measured; `None` when there was nothing to measure.
    pub measured: Option<Amount>,
    /// What follows.
    pub state: LimitState,
}

/// What became of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitState {
    /// What was measured is no worse than the limit.
    Within,
    /// What was measured is worse than the limit.
    Over,
    /// No process of the class ran, or the server was not stopped: nothing was proved.
    Skipped,
    /// `auto`, and this SkyPilot has no constant for it.
    NoConstant,
    /// `auto`, and nobody knows which constants this SkyPilot has.
    LimitUnknown,
    /// There is nothing to measure it by.
    NotMeasured,
}

impl LimitState {
    /// Word that stands in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Within => "ok",
            Self::Over => "OVER",
            Self::Skipped => "skipped",
            Self::NoConstant => "no constant",
            Self::LimitUnknown => "limit unknown",
            Self::NotMeasured => "not measured",
        }
    }
}

impl LimitCheck {
    /// Share of the limit that is left, in percent; negative when over. `None` where
    /// nothing was measured, and where nothing is allowed.
    pub fn headroom(&self) -> Option<f64> {
        Some((1.0 - self.measured?.share_of(self.limit?)?) * 100.0)
    }
}

/// Amount that a limit allows.
enum Allowed {
    AtMost(Amount),
    /// The constant of a SkyPilot that has none.
    NoConstant,
    /// The constant of a SkyPilot of which nothing is known.
    Unknown,
}

impl Allowed {
    /// What a limit allows, and where that comes from.
    fn by(limit: Limit, environment: Option<&Environment>) -> (Self, String) {
        let sky = match (limit.at_most, environment) {
            (Some(amount), _) => return (Self::AtMost(amount), CONFIGURED.to_owned()),
            (None, Some(environment)) => &environment.sky,
            (None, None) => {
                let source = "SkyPilot, whose constants are not on record".to_owned();
                return (Self::Unknown, source);
            }
        };
        let constant = match limit.metric {
            Metric::Class(class, _) => sky.constants.for_class(class),
            _ => None,
        };
        let allowed = constant.map_or(Self::NoConstant, |size| Self::AtMost(Amount::Size(size)));
        (allowed, format!("SkyPilot {}: {}", sky.version, sky.constants_source))
    }

    fn amount(&self) -> Option<Amount> {
        match self {
            Self::AtMost(amount) => Some(*amount),
            Self::NoConstant | Self::Unknown => None,
        }
    }
}

/// Checks the budgets of a run that is profiled.
pub(super) fn budgets(evidence: &Evidence, sources: Sources<'_>) -> Vec<LimitCheck> {
    let budgets = evidence.plan.budgets.iter().filter(|_| evidence.is_profiled());
    budgets.map(|budget| check(*budget, evidence, sources)).collect()
}

/// Checks the thresholds for latencies. How many iterations may fail is part of how a
/// scenario ended.
pub(super) fn thresholds(evidence: &Evidence, sources: Sources<'_>) -> Vec<LimitCheck> {
    let is_rate =
        |limit: &Limit| matches!(limit.metric, Metric::Scenario(_, ScenarioMetric::ErrorRate));
    let latencies = evidence.plan.thresholds.iter().filter(|limit| !is_rate(limit));
    latencies.map(|threshold| check(*threshold, evidence, sources)).collect()
}

fn check(limit: Limit, evidence: &Evidence, sources: Sources<'_>) -> LimitCheck {
    let metric = limit.metric;
    let measured = sources.measure(metric);
    let (allowed, source) = Allowed::by(limit, evidence.environment.as_ref());
    LimitCheck {
        metric,
        limit: allowed.amount(),
        source,
        measured: measured.amount(),
        state: state(metric, &allowed, measured),
    }
}

/// The one rule for what becomes of a limit.
fn state(metric: Metric, allowed: &Allowed, measured: Measured) -> LimitState {
    match (allowed, measured) {
        (_, Measured::Absent(Absence::NoProfile)) => LimitState::NotMeasured,
        (Allowed::Unknown, _) => LimitState::LimitUnknown,
        (Allowed::NoConstant, _) => LimitState::NoConstant,
        (_, Measured::Absent(Absence::NoProcess | Absence::NotStopped)) => LimitState::Skipped,
        (_, Measured::Absent(_)) => LimitState::NotMeasured,
        (Allowed::AtMost(limit), Measured::Value(amount, _)) => {
            match (amount.partial_cmp(limit), metric.row().worse) {
                (Some(Ordering::Greater), Worse::Higher) | (Some(Ordering::Less), Worse::Lower) => {
                    LimitState::Over
                }
                (Some(_), _) => LimitState::Within,
                // A limit in another unit limits nothing.
                (None, _) => LimitState::NotMeasured,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::analysis::Exactness;
    use crate::class::ProcessClass;
    use crate::metric::ServerMetric;
    use crate::scenario::ScenarioId;

    const THREADS: Metric = Metric::Server(ServerMetric::Threads);
    const PEAK: Metric = Metric::max_peak(ProcessClass::Server);
    const RATE: Metric = Metric::Scenario(ScenarioId::ApiStatus, ScenarioMetric::Throughput);

    const fn value(amount: Amount) -> Measured {
        Measured::Value(amount, Exactness::Exact)
    }

    #[rstest]
    #[case::as_much_as_is_allowed(
        THREADS,
        Allowed::AtMost(Amount::Count(5)),
        value(Amount::Count(5)),
        LimitState::Within
    )]
    #[case::more_than_is_allowed(
        THREADS,
        Allowed::AtMost(Amount::Count(5)),
        value(Amount::Count(6)),
        LimitState::Over
    )]
    #[case::less_where_less_is_worse(
        RATE,
        Allowed::AtMost(Amount::Rate(2.0)),
        value(Amount::Rate(1.5)),
        LimitState::Over
    )]
    #[case::more_where_less_is_worse(
        RATE,
        Allowed::AtMost(Amount::Rate(2.0)),
        value(Amount::Rate(2.5)),
        LimitState::Within
    )]
    #[case::another_unit(
        PEAK,
        Allowed::AtMost(Amount::Count(5)),
        value(Amount::Size(Default::default())),
        LimitState::NotMeasured
    )]
    #[case::nothing_to_try_it_on(
        PEAK,
        Allowed::AtMost(Amount::Count(5)),
        Measured::Absent(Absence::NoProcess),
        LimitState::Skipped
    )]
    #[case::nothing_that_was_read(
        PEAK,
        Allowed::AtMost(Amount::Count(5)),
        Measured::Absent(Absence::NotRead),
        LimitState::NotMeasured
    )]
    #[case::a_constant_that_does_not_exist(
        PEAK,
        Allowed::NoConstant,
        Measured::Absent(Absence::NoProcess),
        LimitState::NoConstant
    )]
    #[case::constants_of_which_nothing_is_known(
        PEAK,
        Allowed::Unknown,
        value(Amount::Size(Default::default())),
        LimitState::LimitUnknown
    )]
    #[case::no_profile(
        PEAK,
        Allowed::Unknown,
        Measured::Absent(Absence::NoProfile),
        LimitState::NotMeasured
    )]
    fn what_becomes_of_a_limit_follows_from_what_was_measured(
        #[case] metric: Metric,
        #[case] allowed: Allowed,
        #[case] measured: Measured,
        #[case] expected: LimitState,
    ) {
        assert_eq!(state(metric, &allowed, measured), expected);
    }
}
