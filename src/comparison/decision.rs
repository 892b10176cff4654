//! Verdict of one metric, from its amounts in the runs of both versions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::estimate::{Estimate, Interval, LEAST_RUNS, MOST_FORECAST, Noise};
use super::risk::Risks;
use super::scale::Scale;
use super::settings::{Looks, Settings};
use crate::metric::{Amount, ComparedMetric, Kind};

/// Risk of a sign of a change where there is none, half of it in each direction.
const RISK_OF_A_SIGN: f64 = 0.05;

/// Amounts of a metric in the runs of both versions; `None` in a run that did not measure it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Amounts {
    /// Amounts in the runs of the base, in their order.
    pub base: Vec<Option<Amount>>,
    /// Amounts in the runs of the candidate, in their order.
    pub candidate: Vec<Option<Amount>>,
}

/// Pairing of the runs of two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pairing {
    /// Pairs by position: the first run of the base with the first of the candidate.
    InOrder,
    /// Sets of different sizes, which are compared as wholes.
    Unpaired,
}

/// Verdict of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum MetricVerdict {
    /// Interval without zero, estimate beyond the tolerance, in the direction that is worse.
    Worse,
    /// Interval without zero, estimate beyond the tolerance, in the other direction.
    Better,
    /// Interval within the tolerance.
    Same,
    /// Neither, or too few runs.
    Undecided {
        /// Number of pairs that would decide, at the estimate and the noise of these; `null` if
        /// it is more than 100, or unknown with fewer than three pairs.
        pairs: Option<usize>,
    },
    /// Neither, of a metric that decides unless it is noisy: the runs are too noisy for the number
    /// of planned pairs to show even an unchanged metric to be the same, and give no sign of a
    /// change that is worse.
    TooNoisy {
        /// Number of pairs that would decide, at the estimate and the noise of these; `null` if
        /// it is more than 100.
        pairs: Option<usize>,
    },
    /// Metric that one version has and the other has not, such as a class of processes.
    NotCompared {
        /// Whether the base is the version that has it.
        only_in_base: bool,
    },
    /// Metric that needs conditions which are not those of the reference.
    OtherConditions,
}

/// Change from base to candidate. Of memory, CPU and latencies a ratio minus 1 (0.05 is 5 %
/// more); of growth in bytes, of counts in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Change {
    /// Whether the numbers are ratios minus 1.
    pub is_ratio: bool,
    /// Estimated change.
    pub estimate: f64,
    /// Interval for *worse* and *better*: over all deciding metrics and looks it misses a true
    /// change with a risk of 5 %.
    pub interval: Interval,
    /// Interval for *same*: at each of its ends, the risk is 5 % over all looks.
    pub equivalence: Interval,
    /// Largest change that is tolerated.
    pub tolerance: f64,
    /// Standard deviation of a run among those of its version (the noise floor).
    pub noise: f64,
    /// Source of the noise.
    pub noise_source: Noise,
}

impl Pairing {
    /// Pairing of finished runs: pairs if there are as many of both versions.
    pub(super) const fn of(base: usize, candidate: usize) -> Self {
        if base == candidate { Self::InOrder } else { Self::Unpaired }
    }
}

impl Change {
    /// Interval that the verdict rests on.
    pub fn decisive(&self, verdict: MetricVerdict) -> Interval {
        match verdict {
            MetricVerdict::Same => self.equivalence,
            _ => self.interval,
        }
    }
}

impl MetricVerdict {
    /// Whether the metric leaves the comparison undecided.
    pub const fn is_undecided(&self) -> bool {
        matches!(self, Self::Undecided { .. })
    }

    /// Whether the metric says nothing because the runs are too noisy.
    pub const fn is_too_noisy(&self) -> bool {
        matches!(self, Self::TooNoisy { .. })
    }

    /// Whether nothing was compared.
    pub const fn is_not_compared(&self) -> bool {
        matches!(self, Self::NotCompared { .. } | Self::OtherConditions)
    }
}

impl Amounts {
    /// Runs of each version that measured the metric.
    pub fn counts(&self) -> [usize; 2] {
        [&self.base, &self.candidate].map(|amounts| amounts.iter().flatten().count())
    }

    /// Whether there are enough runs to compare.
    pub fn suffice(&self, pairing: Pairing) -> bool {
        self.usable(pairing) >= LEAST_RUNS
    }

    /// Pairs, or runs of the smaller set, with a measurement.
    fn usable(&self, pairing: Pairing) -> usize {
        match pairing {
            Pairing::InOrder => self.pairs().count(),
            Pairing::Unpaired => self.counts().into_iter().min().unwrap_or(0),
        }
    }

    /// Pairs in which both runs measured the metric.
    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        let both = self.base.iter().zip(&self.candidate);
        both.filter_map(|(base, candidate)| {
            Some((base.as_ref()?.number(), candidate.as_ref()?.number()))
        })
    }

    fn numbers(amounts: &[Option<Amount>]) -> Vec<f64> {
        amounts.iter().flatten().map(|amount| amount.number()).collect()
    }

    /// Amounts of base and candidate that are compared.
    fn compared(&self, pairing: Pairing) -> [Vec<f64>; 2] {
        match pairing {
            Pairing::InOrder => {
                let (base, candidate) = self.pairs().unzip();
                [base, candidate]
            }
            Pairing::Unpaired => [&self.base, &self.candidate].map(|of| Self::numbers(of)),
        }
    }
}

/// Pairs that were made, or runs of the smaller set.
#[derive(Clone, Copy)]
struct Made {
    /// Number of all, by which the looks at a comparison count.
    pairs: usize,
    /// Number of those that did not measure the metric.
    unmeasured: usize,
}

impl Made {
    fn of(amounts: &Amounts, pairing: Pairing) -> Self {
        let pairs = amounts.base.len().min(amounts.candidate.len());
        Self { pairs, unmeasured: pairs.saturating_sub(amounts.usable(pairing)) }
    }
}

/// Means of base and candidate, for tables; `None` without a measurement.
pub(super) fn means(kind: Kind, amounts: &Amounts, pairing: Pairing) -> [Option<Amount>; 2] {
    let compared = amounts.compared(pairing);
    let all = [&amounts.base, &amounts.candidate].map(|of| Amounts::numbers(of));
    let scale = Scale::of(kind, &all);
    let both = compared.iter().all(|numbers| !numbers.is_empty());
    let shown = if both { compared } else { all };
    shown.map(|numbers| {
        (!numbers.is_empty()).then(|| Amount::of_number(scale.center(&numbers), kind.unit()))
    })
}

/// Estimate of a metric's change on the scale of its comparison, and the tolerance there.
pub(super) struct Evidence {
    scale: Scale,
    estimate: Estimate,
    tolerance: f64,
}

/// Intervals of a change on the scale of its comparison, one for each statement.
pub(super) struct Intervals {
    /// Interval for *worse* and *better*.
    change: Interval,
    /// Interval for *same*.
    equivalence: Interval,
}

impl Evidence {
    /// Evidence of the amounts of a metric; `None` with too few runs.
    pub(super) fn of(
        metric: ComparedMetric,
        amounts: &Amounts,
        pairing: Pairing,
        settings: &Settings,
    ) -> Option<Self> {
        let compared = amounts.compared(pairing);
        let scale = Scale::of(metric.kind(), &compared);
        let tolerance = scale.tolerance(settings.tolerance(metric), scale.center(&compared[0]));
        let [base, candidate] = compared.map(|numbers| {
            numbers.into_iter().map(|number| scale.enter(number)).collect::<Vec<f64>>()
        });
        let estimate = match pairing {
            Pairing::InOrder => {
                Estimate::paired(&base.into_iter().zip(candidate).collect::<Vec<_>>())
            }
            Pairing::Unpaired => Estimate::unpaired(&base, &candidate),
        };
        Some(Self { scale, estimate: estimate?, tolerance })
    }

    /// Intervals with these risks.
    pub(super) fn intervals(&self, risks: Risks) -> Intervals {
        Intervals {
            change: self.estimate.interval(risks.change),
            equivalence: self.estimate.interval(2.0 * risks.equivalence),
        }
    }

    /// Verdict by intervals; `None` if they decide nothing. All metrics of a comparison get worse
    /// upwards.
    pub(super) fn verdict(&self, intervals: &Intervals) -> Option<MetricVerdict> {
        let mean = self.estimate.mean;
        if intervals.change.excludes_zero() && mean.abs() > self.tolerance {
            Some(if mean > 0.0 { MetricVerdict::Worse } else { MetricVerdict::Better })
        } else {
            intervals.equivalence.is_within(self.tolerance).then_some(MetricVerdict::Same)
        }
    }

    /// Whether even an unchanged metric is not expected to be the same after the planned pairs.
    ///
    /// Asks the noise alone, which says nothing about the change: a question that asked the
    /// change, too, would drop metrics because they are worse.
    fn is_too_noisy(&self, looks: Looks, made: Made, metrics: usize) -> bool {
        let planned = match looks {
            Looks::AfterEachPair { most } => most.max(made.pairs),
            Looks::Once => made.pairs,
        };
        let risks = Risks::at(looks, planned, metrics);
        let measured = planned.saturating_sub(made.unmeasured);
        self.estimate.expected_margin(2.0 * risks.equivalence, measured) > self.tolerance
    }

    /// Whether the metric, looked at for itself, is worse: a sign, which over all metrics and looks
    /// of a comparison is no proof.
    fn seems_worse(&self) -> bool {
        self.estimate.interval(RISK_OF_A_SIGN).low > 0.0
    }

    /// Number of pairs that would decide the metric, if all further ones measure it.
    fn forecast(&self, looks: Looks, made: Made, metrics: usize) -> Option<usize> {
        let all = |measured: usize| measured.saturating_add(made.unmeasured);
        let measured = self.estimate.pairs_until(|measured, interval| {
            let pairs = all(measured);
            // More pairs than planned are another comparison, whose last look has most of the risk.
            let looks = match looks {
                Looks::AfterEachPair { most } => Looks::AfterEachPair { most: most.max(pairs) },
                Looks::Once => Looks::Once,
            };
            let risks = Risks::at(looks, pairs, metrics);
            match self.estimate.mean.abs() > self.tolerance {
                true => interval(risks.change).excludes_zero(),
                false => interval(2.0 * risks.equivalence).is_within(self.tolerance),
            }
        });
        measured.map(all).filter(|pairs| *pairs <= MOST_FORECAST)
    }

    /// Change in the terms of reports.
    fn change(&self, intervals: &Intervals) -> Change {
        let leave = |number| self.scale.leave(number);
        Change {
            is_ratio: self.scale.is_ratio(),
            estimate: leave(self.estimate.mean),
            interval: intervals.change.map(leave),
            equivalence: intervals.equivalence.map(leave),
            tolerance: leave(self.tolerance),
            noise: leave(self.estimate.noise_of_run()),
            noise_source: self.estimate.noise,
        }
    }
}

/// Verdict of a metric, and its change if there are enough runs.
pub(super) fn decide(
    metric: ComparedMetric,
    amounts: &Amounts,
    pairing: Pairing,
    settings: &Settings,
    metrics: usize,
) -> (MetricVerdict, Option<Change>) {
    match amounts.counts() {
        [0, _] => return (MetricVerdict::NotCompared { only_in_base: false }, None),
        [_, 0] => return (MetricVerdict::NotCompared { only_in_base: true }, None),
        _ => {}
    }
    let Some(evidence) = Evidence::of(metric, amounts, pairing, settings) else {
        return (MetricVerdict::Undecided { pairs: None }, None);
    };
    let (looks, made) = (settings.looks, Made::of(amounts, pairing));
    // A pair that did not measure the metric was a look, too: the last one has the rest of the risk.
    let intervals = evidence.intervals(Risks::at(looks, made.pairs, metrics));
    let verdict = evidence.verdict(&intervals).unwrap_or_else(|| {
        let is_excused = settings.decides_unless_noisy(metric)
            && evidence.is_too_noisy(looks, made, metrics)
            && !evidence.seems_worse();
        let pairs = evidence.forecast(looks, made, metrics);
        match is_excused {
            true => MetricVerdict::TooNoisy { pairs },
            false => MetricVerdict::Undecided { pairs },
        }
    });
    (verdict, Some(evidence.change(&intervals)))
}
