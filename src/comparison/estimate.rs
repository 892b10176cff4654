//! Estimate of a difference between two versions, and its uncertainty: Student's t.
//!
//! Runs in pairs: the estimate is the mean of the pairs' differences. Its noise is that of runs of
//! one version among themselves, of both versions (the noise floor), which has twice the degrees
//! of freedom that the differences alone have; without them, five pairs could not show that
//! anything is the same. What disturbs both runs of a pair widens that noise, so that it errs on
//! the safe side. Where the pairs plainly share disturbances, the noise of their differences is
//! less, and used instead.
//!
//! Sets that are not in pairs: Welch's t, which supposes neither equal sizes nor equal noise.

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
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    /// Estimated difference.
    pub(super) mean: f64,
    /// Standard error of the estimate.
    error: f64,
    /// Degrees of freedom of the standard error.
    freedom: f64,
    /// Number of runs of the smaller set.
    runs: usize,
    /// Source of the noise.
    pub(super) noise: Noise,
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
        let differences: Vec<f64> =
            pairs.iter().map(|(base, candidate)| candidate - base).collect();
        let sums: Vec<f64> = pairs.iter().map(|(base, candidate)| candidate + base).collect();
        let (mean, of_differences) = mean_and_variance(&differences)?;
        let (_, of_sums) = mean_and_variance(&sums)?;
        let (count, runs) = (as_f64(pairs.len()), pairs.len());
        let freedom = count - 1.0;
        // Without shared disturbances both have the variance of two runs; shared ones cancel in
        // the differences and double in the sums.
        let (variance, freedom, noise) = match are_shared(of_differences, of_sums, freedom) {
            true => (of_differences, freedom, Noise::OfPairs),
            false => {
                let both = f64::midpoint(of_differences, of_sums);
                (both, 2.0 * freedom, Noise::WithinVersions)
            }
        };
        Some(Self { mean, error: (variance / count).sqrt(), freedom, runs, noise })
    }

    /// Estimate from two sets; `None` with too few in one of them.
    pub(super) fn unpaired(base: &[f64], candidate: &[f64]) -> Option<Self> {
        let runs = base.len().min(candidate.len());
        let (mean_of_base, of_base) = mean_and_variance(base)?;
        let (mean_of_candidate, of_candidate) = mean_and_variance(candidate)?;
        let parts = [(of_base, base), (of_candidate, candidate)].map(|(variance, runs)| {
            let count = as_f64(runs.len());
            (variance / count, count - 1.0)
        });
        let variance: f64 = parts.iter().map(|(part, _)| part).sum();
        let spread: f64 = parts.iter().map(|(part, freedom)| part * part / freedom).sum();
        // Both are zero if all runs are equal, and any number of degrees then gives a point.
        let freedom = if spread > 0.0 { variance * variance / spread } else { as_f64(runs) };
        let (mean, error) = (mean_of_candidate - mean_of_base, variance.sqrt());
        Some(Self { mean, error, freedom, runs, noise: Noise::Unpaired })
    }

    /// Interval that misses the true difference with this risk, half of it on each side. A point
    /// if all runs of a version are equal.
    pub(super) fn interval(&self, risk: f64) -> Interval {
        let margin = self.margin(risk, 1.0);
        Interval { low: self.mean - margin, high: self.mean + margin }
    }

    /// Standard deviation of a single run, by which the runs of one version differ.
    pub(super) fn noise_of_run(&self) -> f64 {
        self.error * (as_f64(self.runs) / 2.0).sqrt()
    }

    /// Least number of pairs for which `is_decided` holds of the interval that is expected then,
    /// with the same estimate and noise; `None` if it is more than [`MOST_FORECAST`]. More pairs
    /// never make an interval longer.
    pub(super) fn pairs_until(
        &self,
        is_decided: impl Fn(usize, &dyn Fn(f64) -> Interval) -> bool,
    ) -> Option<usize> {
        let decides = |pairs: usize| {
            let times = as_f64(pairs) / as_f64(self.runs);
            let interval = |risk: f64| {
                let margin = self.margin(risk, times);
                Interval { low: self.mean - margin, high: self.mean + margin }
            };
            is_decided(pairs, &interval)
        };
        let more: Vec<usize> = (self.runs + 1..=MOST_FORECAST).collect();
        more.get(more.partition_point(|pairs| !decides(*pairs))).copied()
    }

    /// Half of the interval's length, with `times` as many runs.
    fn margin(&self, risk: f64, times: f64) -> f64 {
        if self.error == 0.0 {
            return 0.0;
        }
        let quantile = StudentsT::new(0.0, 1.0, self.freedom * times)
            .map_or(f64::INFINITY, |student| student.inverse_cdf(1.0 - risk / 2.0));
        quantile * self.error / times.sqrt()
    }
}

/// Whether sums vary so much more than differences that the pairs share disturbances.
fn are_shared(of_differences: f64, of_sums: f64, freedom: f64) -> bool {
    let limit = FisherSnedecor::new(freedom, freedom)
        .map_or(f64::INFINITY, |fisher| fisher.inverse_cdf(1.0 - SHARED_BY_CHANCE));
    // Equal differences of a few runs are chance, not a noise of zero.
    of_differences > 0.0 && of_sums / of_differences > limit
}

/// Arithmetic mean and variance; `None` of fewer than [`LEAST_RUNS`].
fn mean_and_variance(values: &[f64]) -> Option<(f64, f64)> {
    let count = as_f64(values.len());
    (values.len() >= LEAST_RUNS).then(|| {
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (mean, squares / (count - 1.0))
    })
}

#[expect(clippy::cast_precision_loss, reason = "numbers of runs are small")]
pub(super) fn as_f64(count: usize) -> f64 {
    count as f64
}
