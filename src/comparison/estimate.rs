//! Estimate of a difference between two versions, and its uncertainty: Student's t.
//!
//! Runs in pairs: the estimate is the mean of the pairs' differences. Its noise is that of runs of
//! one version among themselves, of both versions (the noise floor), which has up to twice the
//! degrees of freedom that the differences alone have; without them, five pairs could hardly show
//! that anything is the same. What disturbs both runs of a pair widens that noise, so that it errs
//! on the safe side. Where the pairs plainly share disturbances, the noise of their differences is
//! less, and used instead.
//!
//! Sets that are not in pairs, of any sizes, have the noise of both versions, too.
//!
//! No version is supposed to be as noisy as the other. By how much a version is the noisier one is
//! estimated from the same few runs, see `freedom`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, FisherSnedecor, StudentsT};

/// Least number of runs of each version that can be compared.
pub const LEAST_RUNS: usize = 3;

/// Number of pairs up to which a forecast is made.
pub const MOST_FORECAST: usize = 100;

/// Chance of taking pairs for disturbed together that are not.
const SHARED_BY_CHANCE: f64 = 0.01;

/// Source of the noise of an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Noise {
    /// Runs of one version among themselves.
    WithinVersions,
    /// Differences of the pairs, which share disturbances.
    OfPairs,
    /// Runs of one version among themselves, in sets that are not in pairs.
    Unpaired,
}

/// Estimate of a difference, with its uncertainty.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Estimate {
    /// Estimated difference.
    pub(super) mean: f64,
    /// Runs of each version, or differences of the pairs, from which the noise is known.
    samples: Vec<Sample>,
    /// Source of the noise.
    pub(super) noise: Noise,
}

/// Independent values, the mean of which is a part of the estimate.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    /// Variance of one value.
    variance: f64,
    /// Number of values; in a forecast, sets of different sizes grow by the same factor.
    count: f64,
}

/// Interval of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether the interval has no zero in it.
    pub fn excludes_zero(self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    /// Whether no end is farther from zero than a tolerance.
    pub fn is_within(self, tolerance: f64) -> bool {
        -tolerance <= self.low && self.high <= tolerance
    }

    /// Interval with both ends changed.
    #[must_use]
    pub fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self { low: change(self.low), high: change(self.high) }
    }
}

impl Estimate {
    /// Estimate from pairs of base and candidate; `None` with too few.
    pub(super) fn paired(pairs: &[(f64, f64)]) -> Option<Self> {
        let (base, candidate): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let differences: Vec<f64> =
            pairs.iter().map(|(base, candidate)| candidate - base).collect();
        let sums: Vec<f64> = pairs.iter().map(|(base, candidate)| candidate + base).collect();
        let (mean, of_differences) = Sample::of(&differences)?;
        let (_, of_sums) = Sample::of(&sums)?;
        // Without shared disturbances both have the variance of two runs; shared ones cancel in
        // the differences and double in the sums.
        let (samples, noise) = match are_shared(of_differences, of_sums) {
            true => (vec![of_differences], Noise::OfPairs),
            false => (Sample::of_both(&base, &candidate)?, Noise::WithinVersions),
        };
        Some(Self { mean, samples, noise })
    }

    /// Estimate from two sets; `None` with too few in one of them.
    pub(super) fn unpaired(base: &[f64], candidate: &[f64]) -> Option<Self> {
        let samples = Sample::of_both(base, candidate)?;
        let mean = mean(candidate) - mean(base);
        Some(Self { mean, samples, noise: Noise::Unpaired })
    }

    /// Interval that misses the true difference with this risk, half of it on each side. A point
    /// if all runs of a version are equal.
    pub(super) fn interval(&self, risk: f64) -> Interval {
        self.around_mean(self.margin(risk, 1.0))
    }

    /// Half of the length of the interval that is expected of this number of pairs, with the same
    /// noise.
    pub(super) fn expected_margin(&self, risk: f64, pairs: usize) -> f64 {
        self.margin(risk, as_f64(pairs) / self.runs())
    }

    fn around_mean(&self, margin: f64) -> Interval {
        Interval { low: self.mean - margin, high: self.mean + margin }
    }

    /// Half of the length of the interval that is expected of `times` as many runs.
    fn margin(&self, risk: f64, times: f64) -> f64 {
        let samples = self.samples.iter();
        let samples: Vec<Sample> =
            samples.map(|one| Sample { count: one.count * times, ..*one }).collect();
        let error = samples.iter().map(|sample| sample.of_mean()).sum::<f64>().sqrt();
        if error == 0.0 {
            return 0.0;
        }
        let quantile = StudentsT::new(0.0, 1.0, freedom(&samples))
            .map_or(f64::INFINITY, |student| student.inverse_cdf(1.0 - risk / 2.0));
        quantile * error
    }

    /// Standard deviation of a single run, by which the runs of one version differ; of versions
    /// that differ in it, the root of the mean square.
    pub(super) fn noise_of_run(&self) -> f64 {
        // A difference has the variance of two runs.
        let of_two_runs: f64 = self.samples.iter().map(|sample| sample.variance).sum();
        (of_two_runs / 2.0).sqrt()
    }

    /// Least number of pairs for which `is_decided` holds of the interval that is expected then,
    /// with the same estimate and noise; `None` if it is more than [`MOST_FORECAST`]. More pairs
    /// never make an interval longer.
    pub(super) fn pairs_until(
        &self,
        is_decided: impl Fn(usize, &dyn Fn(f64) -> Interval) -> bool,
    ) -> Option<usize> {
        let runs = self.runs();
        let decides = |pairs: usize| {
            is_decided(pairs, &|risk| self.around_mean(self.expected_margin(risk, pairs)))
        };
        let more: Vec<usize> =
            (LEAST_RUNS..=MOST_FORECAST).filter(|pairs| as_f64(*pairs) > runs).collect();
        more.get(more.partition_point(|pairs| !decides(*pairs))).copied()
    }

    /// Number of runs of the smaller set.
    fn runs(&self) -> f64 {
        self.samples.iter().map(|sample| sample.count).fold(f64::INFINITY, f64::min)
    }
}

impl Sample {
    /// Mean of values, and their sample; `None` of fewer than [`LEAST_RUNS`].
    fn of(values: &[f64]) -> Option<(f64, Self)> {
        let count = as_f64(values.len());
        (values.len() >= LEAST_RUNS).then(|| {
            let mean = mean(values);
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (mean, Self { variance: squares / (count - 1.0), count })
        })
    }

    /// Samples of the runs of both versions.
    fn of_both(base: &[f64], candidate: &[f64]) -> Option<Vec<Self>> {
        [base, candidate].into_iter().map(|runs| Self::of(runs).map(|(_, sample)| sample)).collect()
    }

    /// Variance of the mean.
    fn of_mean(&self) -> f64 {
        self.variance / self.count
    }

    /// Degrees of freedom of the variance.
    fn freedom(&self) -> f64 {
        self.count - 1.0
    }
}

/// Degrees of freedom of the summed variances of means, of which at least one is not zero.
///
/// Never fewer than those of the smallest sample, which is right if only one is noisy, and never
/// more than those of all together, which is right if all are equally noisy. Welch's formula takes
/// the noise as measured. But a few runs are often equally noisy by chance, and the ends of an
/// interval that misses once in hundreds are far out where the degrees are few: in simulations with
/// one version four to ten times as noisy as the other, false alarms of three to five pairs were 1.4
/// to 1.9 times as many as stated. So the more runs there are, the more of what the formula adds to
/// the least degrees counts: a third in three runs, three fifths in five.
fn freedom(samples: &[Sample]) -> f64 {
    let variance: f64 = samples.iter().map(Sample::of_mean).sum();
    let spread: f64 = samples.iter().map(|one| one.of_mean().powi(2) / one.freedom()).sum();
    let fewest = samples.iter().map(|one| one.count).fold(f64::INFINITY, f64::min);
    let least = fewest - 1.0;
    least + (variance * variance / spread - least) * (1.0 - 2.0 / fewest)
}

/// Whether sums vary so much more than differences that the pairs share disturbances. Where one
/// version is noisier, both have more of its noise in common, and the test errs to the safe side.
fn are_shared(differences: Sample, sums: Sample) -> bool {
    // Equal differences of a few runs are chance, not a noise of zero.
    differences.variance > 0.0
        && FisherSnedecor::new(sums.freedom(), differences.freedom())
            .is_ok_and(|fisher| fisher.sf(sums.variance / differences.variance) < SHARED_BY_CHANCE)
}

/// Arithmetic mean.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / as_f64(values.len())
}

#[expect(clippy::cast_precision_loss, reason = "numbers of runs are small")]
pub(super) fn as_f64(count: usize) -> f64 {
    count as f64
}
