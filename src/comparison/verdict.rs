//! Verdict of a comparison, from those of its metrics.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::MetricVerdict;
use super::metrics::MetricComparison;
use super::settings::Settings;
use crate::analysis::Verdict;

/// Verdict of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ComparisonVerdict {
    /// No deciding metric worse, at least one better.
    Better,
    /// Every deciding metric the same, but for those that are too noisy.
    Same,
    /// Deciding metric worse, or an error, or kills at the server's size, that only the candidate
    /// has.
    Worse,
    /// Scenario, threshold, setup or teardown that fails in the candidate alone.
    ScenarioFailed,
    /// Deciding metric undecided, or too few usable runs.
    Undecided,
}

impl ComparisonVerdict {
    /// Exit code of `cargo xtask compare`.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Better | Self::Same => Verdict::Pass.exit_code(),
            Self::Worse => Verdict::OverBudget.exit_code(),
            Self::ScenarioFailed => Verdict::ScenarioFailed.exit_code(),
            Self::Undecided => Verdict::Inconclusive.exit_code(),
        }
    }

    /// Name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Better => "BETTER",
            Self::Same => "SAME",
            Self::Worse => "WORSE",
            Self::ScenarioFailed => "SCENARIO FAILED",
            Self::Undecided => "UNDECIDED",
        }
    }

    /// Verdict of the metrics of a comparison.
    pub(super) fn of(metrics: &[MetricComparison], settings: &Settings) -> Self {
        let deciding = || metrics.iter().filter(|metric| metric.decides);
        let any = |wanted| deciding().any(|metric| metric.verdict == wanted);
        let says_nothing =
            |it: &MetricComparison| it.verdict.is_too_noisy() || it.verdict.is_not_compared();
        let is_open = deciding().any(|metric| metric.verdict.is_undecided())
            || settings.metrics_decide() && deciding().all(says_nothing);
        if any(MetricVerdict::Worse) {
            Self::Worse
        } else if is_open {
            Self::Undecided
        } else if any(MetricVerdict::Better) {
            Self::Better
        } else {
            Self::Same
        }
    }
}
