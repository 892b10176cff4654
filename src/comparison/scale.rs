//! Scale on which the amounts of a metric are compared: logarithms for ratios, else as they are.

use super::estimate::as_f64;
use crate::metric::{Kind, Tolerance};

/// Number on the scale on which changes are differences: logarithms for ratios.
#[derive(Clone, Copy)]
pub(super) struct Scale {
    is_ratio: bool,
}

impl Scale {
    /// Scale of a kind of metric. A ratio to zero has no logarithm, so amounts with a zero among
    /// them are compared by their differences.
    pub(super) fn of(kind: Kind, amounts: &[Vec<f64>; 2]) -> Self {
        let has_zero = amounts.iter().flatten().any(|number| *number <= 0.0);
        Self { is_ratio: kind.is_ratio() && !has_zero }
    }

    /// Whether changes are ratios.
    pub(super) fn is_ratio(self) -> bool {
        self.is_ratio
    }

    /// Number on the scale.
    pub(super) fn enter(self, number: f64) -> f64 {
        if self.is_ratio { number.ln() } else { number }
    }

    /// Difference on the scale as a change: of ratios, the ratio minus 1.
    pub(super) fn leave(self, number: f64) -> f64 {
        if self.is_ratio { number.exp_m1() } else { number }
    }

    /// Mean of the base: geometric for ratios.
    pub(super) fn center(self, numbers: &[f64]) -> f64 {
        let sum: f64 = numbers.iter().map(|number| self.enter(*number)).sum();
        let mean = sum / as_f64(numbers.len().max(1));
        if self.is_ratio { mean.exp() } else { mean }
    }

    /// Tolerance around the base's mean, on this scale.
    pub(super) fn tolerance(self, tolerance: Tolerance, center: f64) -> f64 {
        let around = tolerance.around(center);
        if self.is_ratio { (around / center).ln_1p() } else { around }
    }
}
