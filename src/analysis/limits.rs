//! Checks of measured figures against the budgets of the plan.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use super::metrics::{Absence, Measured, Sources};
use crate::class::ProcessClass;
use crate::metric::{Amount, ClassMetric, Limit, Metric};
use crate::plan::{LoadPlan, ServerMetrics};
use crate::record::environment::Environment;
use crate::units::ByteSize;

/// Source of a limit that is set by a flag or in `skyload.toml`.
pub(crate) const CONFIGURED: &str = "configured";

/// Check of one budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LimitCheck {
    /// Limited metric.
    pub metric: Metric,
    /// Limit; `None` if SkyPilot has no constant for the metric, or its constants are unknown.
    pub limit: Option<Amount>,
    /// Source of the limit: `configured`, or SkyPilot's version and file.
    pub source: String,
    /// Measured amount; `None` if nothing was measured.
    pub measured: Option<Amount>,
    /// Result of the check.
    pub state: LimitState,
}

/// Result of checking a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitState {
    /// Measured amount no worse than the limit.
    Within,
    /// Measured amount worse than the limit.
    Over,
    /// Interval of a growth per hour on both sides of the limit.
    Undecided,
    /// Nothing to check: no process of the class ran, or the server was not stopped.
    Skipped,
    /// Limit `auto`, and this SkyPilot has no constant for the metric.
    NoConstant,
    /// Limit `auto`, and the constants of this SkyPilot are unknown.
    LimitUnknown,
    /// Missing measurement: no profile, unread processes, or a server that was not
    /// idle.
    NotMeasured,
}

impl LimitState {
    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Within => "ok",
            Self::Over => "OVER",
            Self::Undecided => "undecided",
            Self::Skipped => "skipped",
            Self::NoConstant => "no constant",
            Self::LimitUnknown => "limit unknown",
            Self::NotMeasured => "not measured",
        }
    }
}

impl LimitCheck {
    /// Measured amount as text, which tells it from the limit; `None` if nothing was measured.
    pub fn measured_text(&self) -> Option<String> {
        let measured = self.measured?;
        Some(self.limit.map_or_else(|| measured.to_string(), |limit| measured.beside(limit)))
    }

    /// Headroom: share of the limit that is left, in percent; negative if over. `None` if
    /// nothing was measured, or the limit is 0.
    pub fn headroom(&self) -> Option<f64> {
        Some((1.0 - self.measured?.share_of(self.limit?)?) * 100.0)
    }
}

/// Amount that a limit allows.
enum Allowed {
    AtMost(Amount),
    /// Limit `auto` with a SkyPilot that has no constant for the metric.
    NoConstant,
    /// Limit `auto` with a SkyPilot whose constants are unknown.
    Unknown,
}

impl Allowed {
    /// Allowed amount of a limit, and its source.
    fn of(limit: Limit, environment: Option<&Environment>) -> (Self, String) {
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

/// Budgets on the largest process of each class, with the constants of SkyPilot for `auto`.
pub fn peak_budgets(
    plan: &LoadPlan,
    environment: Option<&Environment>,
) -> BTreeMap<ProcessClass, ByteSize> {
    let budgets = plan.budgets.iter().filter_map(|limit| match limit.metric {
        Metric::Class(class, ClassMetric::MaxPeak) => {
            Some((class, Allowed::of(*limit, environment).0.amount()?.as_size()?))
        }
        _ => None,
    });
    budgets.collect()
}

/// Checks the budgets of a run. Without a profile, those that the server's own gauges measure.
pub(super) fn budgets(evidence: &Evidence, sources: Sources<'_>) -> Vec<LimitCheck> {
    let is_checked = |budget: &&Limit| {
        evidence.is_profiled()
            || ServerMetrics::has_gauge(budget.metric)
                && (!sources.gauges.is_empty() || is_typed(budget.metric, evidence))
    };
    let budgets = evidence.plan.budgets.iter().filter(is_checked);
    budgets.map(|budget| check(*budget, evidence, sources)).collect()
}

/// Whether the user asked for a budget on a metric by a flag, and expects it to be checked.
fn is_typed(metric: Metric, evidence: &Evidence) -> bool {
    let typed = evidence.request.iter().flat_map(|request| &request.budgets);
    let mut names = typed.filter_map(|text| text.split_once('='));
    names.any(|(name, _)| name == metric.to_string())
}

fn check(limit: Limit, evidence: &Evidence, sources: Sources<'_>) -> LimitCheck {
    let metric = limit.metric;
    let measured = match sources.measure(metric) {
        Measured::Absent(Absence::NoProcess) if may_be_untold(metric, evidence) => {
            Measured::Absent(Absence::NotRead)
        }
        measured => measured,
    };
    let (allowed, source) = Allowed::of(limit, evidence.environment.as_ref());
    LimitCheck {
        metric,
        limit: allowed.amount(),
        source,
        measured: measured.amount(),
        state: state(&allowed, measured),
    }
}

/// Whether processes that were taken for starting executors may be of the class of a metric: the
/// queue and web workers are told by their ports only.
fn may_be_untold(metric: Metric, evidence: &Evidence) -> bool {
    let Metric::Class(ProcessClass::Queue | ProcessClass::ServerWorker, _) = metric else {
        return false;
    };
    let mut records = evidence.processes.iter().flat_map(|table| &table.processes);
    evidence.plan.can_have(metric)
        && evidence.recording().header().is_some_and(|header| !header.has_ports())
        && records.any(|record| record.class == ProcessClass::StartingExecutor)
}

/// Result of checking a limit, by the first rule that applies.
fn state(allowed: &Allowed, measured: Measured) -> LimitState {
    match (allowed, measured) {
        // First: without a profile the server may have had any process, so no budget counts as
        // skipped.
        (_, Measured::Absent(Absence::NoProfile)) => LimitState::NotMeasured,
        (Allowed::Unknown, _) => LimitState::LimitUnknown,
        (Allowed::NoConstant, _) => LimitState::NoConstant,
        (_, Measured::Absent(Absence::NoProcess | Absence::NotStopped)) => LimitState::Skipped,
        // Processes that ran but were never read must not count as absent ones.
        (_, Measured::Absent(_)) => LimitState::NotMeasured,
        (Allowed::AtMost(Amount::GrowthRate(limit)), Measured::Growth(growth)) => {
            match (growth.low > *limit, growth.high <= *limit) {
                (true, _) => LimitState::Over,
                (_, true) => LimitState::Within,
                (false, false) => LimitState::Undecided,
            }
        }
        // Amounts in different units are not comparable.
        (Allowed::AtMost(_), Measured::Growth(_)) => LimitState::NotMeasured,
        (Allowed::AtMost(limit), Measured::Value(amount, _)) => {
            match amount.partial_cmp(limit) {
                Some(Ordering::Greater) => LimitState::Over,
                Some(_) => LimitState::Within,
                // Amounts in different units are not comparable.
                None => LimitState::NotMeasured,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::analysis::Exactness;

    const fn value(amount: Amount) -> Measured {
        Measured::Value(amount, Exactness::Exact)
    }

    #[rstest]
    #[case::at_the_limit(
        Allowed::AtMost(Amount::Count(5)),
        value(Amount::Count(5)),
        LimitState::Within
    )]
    #[case::above_the_limit(
        Allowed::AtMost(Amount::Count(5)),
        value(Amount::Count(6)),
        LimitState::Over
    )]
    #[case::another_unit(
        Allowed::AtMost(Amount::Count(5)),
        value(Amount::Size(Default::default())),
        LimitState::NotMeasured
    )]
    #[case::no_process(
        Allowed::AtMost(Amount::Count(5)),
        Measured::Absent(Absence::NoProcess),
        LimitState::Skipped
    )]
    #[case::no_process_read(
        Allowed::AtMost(Amount::Count(5)),
        Measured::Absent(Absence::NotRead),
        LimitState::NotMeasured
    )]
    #[case::no_constant(
        Allowed::NoConstant,
        Measured::Absent(Absence::NoProcess),
        LimitState::NoConstant
    )]
    #[case::unknown_constants(
        Allowed::Unknown,
        value(Amount::Size(Default::default())),
        LimitState::LimitUnknown
    )]
    #[case::no_profile(
        Allowed::Unknown,
        Measured::Absent(Absence::NoProfile),
        LimitState::NotMeasured
    )]
    fn state_of_a_limit_follows_from_the_measured_amount(
        #[case] allowed: Allowed,
        #[case] measured: Measured,
        #[case] expected: LimitState,
    ) {
        assert_eq!(state(&allowed, measured), expected);
    }
}
