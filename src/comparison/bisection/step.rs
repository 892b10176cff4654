//! Steps of a bisection: comparison of one version with the good one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::search::Answer;
use crate::comparison::decision::MetricVerdict;
use crate::comparison::metrics::MetricComparison;
use crate::comparison::{Comparison, EarlyEnd, ErrorComparison};
use crate::ids::RunId;
use crate::metric::{ComparedMetric, Kind};

/// Comparison of one version with the good one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BisectionStep {
    /// Position of the version.
    pub position: usize,
    /// ID of the comparison, a directory below that of the bisection; `None` for a version that
    /// cannot be built.
    pub comparison: Option<RunId>,
    /// Number of pairs of runs that were compared.
    pub pairs: usize,
    /// Comparison of the metric; `None` if no run measured it.
    pub metric: Option<MetricComparison>,
    /// Verdict on the version.
    pub verdict: StepVerdict,
}

/// Verdict on one version of a bisection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum StepVerdict {
    /// Metric the same as in the good version, or better.
    Good,
    /// Metric worse than in the good version.
    Bad,
    /// Neither, after all pairs.
    Undecided,
    /// No answer from the version.
    Untestable {
        /// Reason, in one clause.
        reason: String,
    },
}

impl StepVerdict {
    /// Verdict in one word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Undecided => "undecided",
            Self::Untestable { .. } => "skipped",
        }
    }

    /// Answer to the search.
    pub(super) const fn answer(&self) -> Answer {
        match self {
            Self::Good => Answer::Good,
            Self::Bad => Answer::Bad,
            Self::Undecided => Answer::Undecided,
            Self::Untestable { .. } => Answer::Untestable,
        }
    }
}

impl BisectionStep {
    /// Step with a comparison, in which the base is the good version.
    pub fn compared(
        position: usize,
        id: RunId,
        comparison: &Comparison,
        metric: ComparedMetric,
    ) -> Self {
        // Reason for which runs are missing.
        let obstacle = comparison.early_end.as_ref().and_then(|end| match end {
            EarlyEnd::NoUsableRun { .. } => Some(end.to_string()),
            EarlyEnd::MaxTime => None,
        });
        let found = comparison.metrics.iter().find(|it| it.metric == metric);
        let verdict = match found.map(|it| it.verdict) {
            Some(MetricVerdict::Worse) if is_less_by_failures(metric.kind()) => StepVerdict::Bad,
            Some(MetricVerdict::Worse) => unless_failing(comparison, StepVerdict::Bad),
            Some(MetricVerdict::Same | MetricVerdict::Better) => {
                unless_failing(comparison, StepVerdict::Good)
            }
            Some(MetricVerdict::Undecided { .. } | MetricVerdict::TooNoisy { .. })
                if obstacle.is_none() =>
            {
                StepVerdict::Undecided
            }
            Some(MetricVerdict::Undecided { .. } | MetricVerdict::TooNoisy { .. }) | None => {
                untestable(
                    obstacle.unwrap_or_else(|| format!("{metric} was not measured in any run")),
                )
            }
            Some(MetricVerdict::OtherConditions) => untestable("of other conditions".to_owned()),
            Some(MetricVerdict::NotCompared { only_in_base }) => untestable(format!(
                "{metric} was measured in the {} version alone",
                if only_in_base { "good" } else { "other" }
            )),
        };
        let pairs = comparison.candidate.runs.len();
        Self { position, comparison: Some(id), pairs, metric: found.cloned(), verdict }
    }

    /// Step of a version that cannot be built, or whose server cannot be started.
    pub fn untestable(position: usize, id: Option<RunId>, reason: String) -> Self {
        let verdict = StepVerdict::Untestable { reason };
        Self { position, comparison: id, pairs: 0, metric: None, verdict }
    }
}

/// Whether failures make amounts of a kind smaller, so that one which is larger is so in spite of
/// them. Timeouts and repetitions take time, and processes.
const fn is_less_by_failures(kind: Kind) -> bool {
    match kind {
        Kind::Memory | Kind::Growth | Kind::GrowthRate => true,
        Kind::Cpu | Kind::Latency | Kind::Count => false,
    }
}

/// Verdict on a version, unless requests or processes fail in it that do not in the good one: the
/// change may be that of the failures.
fn unless_failing(comparison: &Comparison, verdict: StepVerdict) -> StepVerdict {
    let new = comparison.errors.iter().filter(|error| error.is_new());
    let name = |error: &ErrorComparison| format!("{} ({})", error.error_type, error.scenario);
    let new: Vec<String> = new.map(name).collect();
    if !new.is_empty() {
        return untestable(format!("errors that the good version has not: {}", new.join(", ")));
    }
    if let Some(kills) = comparison.new_kills() {
        return untestable(kills);
    }
    // Of an error that the good version has, too, it may have many more.
    match comparison.failed.is_empty() {
        true => verdict,
        false => untestable(format!("failed in it alone: {}", comparison.failed.join(", "))),
    }
}

const fn untestable(reason: String) -> StepVerdict {
    StepVerdict::Untestable { reason }
}
