//! Cost of each kind of request, base against candidate.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::median::median;
use super::of_run::{CostFigure, KindCost, RunAttribution};
use crate::analysis::RequestKind;
use crate::comparison::settings::Settings;
use crate::metric::{Amount, Kind, Tolerance};
use crate::units::ByteSize;

/// Cost of the requests of one kind, in both versions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CostComparison {
    /// Kind of request.
    pub kind: RequestKind,
    /// Number of runs of the base in which an executor was seen with such a request.
    pub runs_of_base: usize,
    /// Number of such runs of the candidate.
    pub runs_of_candidate: usize,
    /// Figures that any run measured.
    pub figures: Vec<FigureComparison>,
}

/// Figure of the cost of requests, in both versions: the median of the runs that measured it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FigureComparison {
    /// Figure.
    pub figure: CostFigure,
    /// Median of the base; `None` if no run measured the figure.
    pub base: Option<Amount>,
    /// Median of the candidate; `None` if no run measured the figure.
    pub candidate: Option<Amount>,
    /// Whether both differ: by more than the tolerance of memory or CPU time, and each run of one
    /// version from each run of the other, where most runs of both have measured the figure.
    pub differs: bool,
}

/// Change of a figure from base to candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FigureChange {
    /// Difference in bytes.
    Bytes(f64),
    /// Ratio minus 1.
    Ratio(f64),
}

impl FigureComparison {
    /// Change; `None` if a version has no amount, or if a ratio would be one to zero.
    pub fn change(&self) -> Option<FigureChange> {
        let (base, candidate) = (self.base?.number(), self.candidate?.number());
        match self.figure.kind() {
            Kind::Cpu => (base > 0.0).then(|| FigureChange::Ratio(candidate / base - 1.0)),
            _ => Some(FigureChange::Bytes(candidate - base)),
        }
    }
}

impl CostComparison {
    /// Largest growth in either version.
    fn largest_growth(&self) -> Option<ByteSize> {
        let growth = self.figures.iter().find(|it| it.figure == CostFigure::GrowthMax)?;
        [growth.base, growth.candidate].into_iter().flatten().filter_map(Amount::as_size).max()
    }
}

/// Costs of all kinds of requests that any run has, by their largest growth. Figures of a kind of
/// metric that is not comparable are left out.
pub(super) fn compare(
    base: &[&RunAttribution],
    candidate: &[&RunAttribution],
    settings: &Settings,
    is_comparable: impl Fn(Kind) -> bool,
) -> Vec<CostComparison> {
    let costs = base.iter().chain(candidate).flat_map(|run| &run.costs);
    let kinds: BTreeSet<&RequestKind> = costs.map(|cost| &cost.kind).collect();
    let compare_one = |kind: &RequestKind| {
        let sides = [base, candidate].map(|runs| Seen::of(runs, kind));
        let figures = CostFigure::ALL.into_iter().filter(|figure| is_comparable(figure.kind()));
        let figures = figures.filter_map(|figure| {
            compare_figure(figure, &sides, settings.tolerance_of(figure.kind()))
        });
        let [runs_of_base, runs_of_candidate] = [0, 1].map(|side| sides[side].costs.len());
        let figures = figures.collect();
        CostComparison { kind: kind.clone(), runs_of_base, runs_of_candidate, figures }
    };
    let mut compared: Vec<CostComparison> = kinds.into_iter().map(compare_one).collect();
    compared.retain(|cost| !cost.figures.is_empty());
    compared.sort_by_key(|cost| Reverse(cost.largest_growth()));
    compared
}

/// Costs of one kind of request in the runs of a version.
struct Seen<'a> {
    /// Number of all runs.
    runs: usize,
    /// Costs in the runs that have seen such requests.
    costs: Vec<&'a KindCost>,
}

impl<'a> Seen<'a> {
    fn of(runs: &[&'a RunAttribution], kind: &RequestKind) -> Self {
        let costs = runs.iter().filter_map(|run| run.cost(kind)).collect();
        Self { runs: runs.len(), costs }
    }

    /// Whether so many runs are most of the runs.
    const fn are_most(&self, runs: usize) -> bool {
        2 * runs > self.runs
    }

    /// Whether most runs have seen such requests.
    fn is_usual(&self) -> bool {
        self.are_most(self.costs.len())
    }

    /// Amounts of a figure in ascending order.
    fn amounts(&self, figure: CostFigure) -> Vec<Amount> {
        let mut amounts: Vec<Amount> =
            self.costs.iter().filter_map(|cost| cost.amount(figure)).collect();
        amounts.sort_by(|one, other| one.number().total_cmp(&other.number()));
        amounts
    }
}

/// Comparison of a figure; `None` if no run measured it.
fn compare_figure(
    figure: CostFigure,
    sides: &[Seen<'_>; 2],
    tolerance: Tolerance,
) -> Option<FigureComparison> {
    let [base, candidate] = [0, 1].map(|side| sides[side].amounts(figure));
    let differs = match (median(&base), median(&candidate)) {
        (None, None) => return None,
        (Some(before), Some(after)) => {
            // A figure of one run is no figure of the version.
            let are_usual = sides[0].are_most(base.len()) && sides[1].are_most(candidate.len());
            let are_apart = base.last() < candidate.first() || candidate.last() < base.first();
            let change = after.number() - before.number();
            are_usual && are_apart && change.abs() > tolerance.around(before.number())
        }
        // A share of nothing is no tolerance, so only an amount tells whether new requests matter.
        (Some(only), None) | (None, Some(only)) => {
            sides.iter().any(|side| side.costs.is_empty())
                && sides.iter().any(Seen::is_usual)
                && tolerance.amount.is_some_and(|most| only > most)
        }
    };
    let [base, candidate] = [median(&base), median(&candidate)];
    Some(FigureComparison { figure, base, candidate, differs })
}
