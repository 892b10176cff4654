//! Verdict of one metric, from its amounts in the runs of both versions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::estimate::{Estimate, Interval, LEAST_RUNS, Noise, as_f64};
use super::risk::Risks;
use super::settings::{Looks, Settings};
use crate::metric::{Amount, ComparedMetric, Kind, Tolerance};

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
    /// Whether more pairs may decide.
    pub const fn is_undecided(&self) -> bool {
        matches!(self, Self::Undecided { .. })
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

/// Number on the scale on which changes are differences: logarithms for ratios.
#[derive(Clone, Copy)]
struct Scale {
    is_ratio: bool,
}

impl Scale {
    /// Scale of a kind of metric. A ratio to zero has no logarithm, so amounts with a zero among
    /// them are compared by their differences.
    fn of(kind: Kind, amounts: &[Vec<f64>; 2]) -> Self {
        let has_zero = amounts.iter().flatten().any(|number| *number <= 0.0);
        Self { is_ratio: kind.is_ratio() && !has_zero }
    }

    fn enter(self, number: f64) -> f64 {
        if self.is_ratio { number.ln() } else { number }
    }

    fn leave(self, number: f64) -> f64 {
        if self.is_ratio { number.exp_m1() } else { number }
    }

    /// Mean of the base: geometric for ratios.
    fn center(self, numbers: &[f64]) -> f64 {
        let sum: f64 = numbers.iter().map(|number| self.enter(*number)).sum();
        let mean = sum / as_f64(numbers.len().max(1));
        if self.is_ratio { mean.exp() } else { mean }
    }

    /// Tolerance around the base's mean, on this scale.
    fn tolerance(self, tolerance: Tolerance, center: f64) -> f64 {
        let around = tolerance.around(center);
        if self.is_ratio { (around / center).ln_1p() } else { around }
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

/// Verdict of a metric, and its change if there are enough runs. All metrics of a comparison get
/// worse upwards.
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
    let compared = amounts.compared(pairing);
    let scale = Scale::of(metric.kind(), &compared);
    let [base, candidate] = compared
        .clone()
        .map(|numbers| numbers.into_iter().map(|number| scale.enter(number)).collect::<Vec<f64>>());
    let estimate = match pairing {
        Pairing::InOrder => Estimate::paired(&base.into_iter().zip(candidate).collect::<Vec<_>>()),
        Pairing::Unpaired => Estimate::unpaired(&base, &candidate),
    };
    let Some(estimate) = estimate else { return (MetricVerdict::Undecided { pairs: None }, None) };
    let tolerance = scale.tolerance(settings.tolerance(metric), scale.center(&compared[0]));
    let risks = Risks::at(settings.looks, amounts.usable(pairing), metrics);
    let (change, equivalence) =
        (estimate.interval(risks.change), estimate.interval(2.0 * risks.equivalence));
    let verdict = if change.excludes_zero() && estimate.mean.abs() > tolerance {
        if estimate.mean > 0.0 { MetricVerdict::Worse } else { MetricVerdict::Better }
    } else if equivalence.is_within(tolerance) {
        MetricVerdict::Same
    } else {
        MetricVerdict::Undecided { pairs: forecast(&estimate, tolerance, settings.looks, metrics) }
    };
    let change = Change {
        is_ratio: scale.is_ratio,
        estimate: scale.leave(estimate.mean),
        interval: change.map(|end| scale.leave(end)),
        equivalence: equivalence.map(|end| scale.leave(end)),
        tolerance: scale.leave(tolerance),
        noise: scale.leave(estimate.noise_of_run()),
        noise_source: estimate.noise,
    };
    (verdict, Some(change))
}

/// Number of pairs that would decide a metric.
fn forecast(estimate: &Estimate, tolerance: f64, looks: Looks, metrics: usize) -> Option<usize> {
    estimate.pairs_until(|pairs, interval| {
        // More pairs than planned are another comparison, whose last look has most of the risk.
        let looks = match looks {
            Looks::AfterEachPair { most } => Looks::AfterEachPair { most: most.max(pairs) },
            Looks::Once => Looks::Once,
        };
        let risks = Risks::at(looks, pairs, metrics);
        match estimate.mean.abs() > tolerance {
            true => interval(risks.change).excludes_zero(),
            false => interval(2.0 * risks.equivalence).is_within(tolerance),
        }
    })
}
