//! Risk of a wrong statement, and how the metrics and the looks of a comparison share it.
//!
//! Two statements are made, each with a risk of its own:
//!
//! * *worse* or *better*: of a comparison of equal versions, at most 5 % make one, over all
//!   deciding metrics and all looks together. Each metric gets an equal part (Bonferroni): the
//!   metrics depend on one another in unknown ways, and their tolerances make up for what this
//!   gives away.
//! * *same*: at most 5 % of the comparisons of versions that differ by the tolerance or more
//!   make it. The whole is the same only if each metric is, so the metrics do not share this risk
//!   (an intersection-union test): no luck with the others makes up for the one that differs.
//!
//! Looks before the last share a twentieth of each risk, and the last has the rest (as Haybittle and
//! Peto do): a difference that is plain stops a comparison early, and the last look loses little.

use super::estimate::{LEAST_RUNS, as_f64};
use super::settings::Looks;

/// Risk of each of the two statements, over the whole comparison.
const TOTAL: f64 = 0.05;

/// Part of the risk for all looks before the last.
const EARLY_PART: f64 = 0.05;

/// Risks of one metric at one look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Risks {
    /// Risk of calling an equal metric worse or better.
    pub(super) change: f64,
    /// Risk of calling a metric that differs by its tolerance the same.
    pub(super) equivalence: f64,
}

impl Risks {
    /// Risks of each of `metrics` at the look after `pairs`.
    pub(super) fn at(looks: Looks, pairs: usize, metrics: usize) -> Self {
        let at_look = TOTAL * looks.part(pairs);
        Self { change: at_look / as_f64(metrics.max(1)), equivalence: at_look }
    }
}

impl Looks {
    /// Part of the risk that the look after `pairs` has.
    fn part(self, pairs: usize) -> f64 {
        match self {
            Self::AfterEachPair { most } if most > LEAST_RUNS => match pairs < most {
                true => EARLY_PART / as_f64(most - LEAST_RUNS),
                false => 1.0 - EARLY_PART,
            },
            Self::Once | Self::AfterEachPair { .. } => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_looks_together_have_the_whole_risk() {
        for most in 3..12 {
            let looks = Looks::AfterEachPair { most };
            let parts: f64 = (LEAST_RUNS..=most).map(|pairs| looks.part(pairs)).sum();
            assert!((parts - 1.0).abs() < 1e-12, "{most}: {parts}");
        }
        assert_eq!(Looks::Once.part(4), 1.0);
    }

    #[test]
    fn metrics_share_the_risk_of_a_change_and_not_that_of_equivalence() {
        let risks = Risks::at(Looks::Once, 5, 4);
        assert_eq!(risks, Risks { change: TOTAL / 4.0, equivalence: TOTAL });
    }
}
