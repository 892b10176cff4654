//! Executors' memory by requests in a comparison, for all renderers: causes of peaks, and cost per
//! request.

use super::rows::{signed_amount, signed_percent};
use crate::comparison::{
    CauseOfPeaks, Comparison, CostComparison, FigureChange, FigureComparison, PeakCauses, Role,
};
use crate::metric::{Amount, Unit};
use crate::render::table::{Cell, Table};
use crate::render::text::Detail;
use crate::units::ByteSize;

/// Number of rows up to which a short table shows what differs.
const MOST_ROWS: usize = 10;

/// Cost per request in a comparison.
pub(in crate::render) struct Costs {
    /// Rows that differ, or all.
    pub(in crate::render) table: Table,
    /// Number of rows that differ and are not in the table.
    pub(in crate::render) more: usize,
    /// Number of rows that do not differ and are not in the table.
    pub(in crate::render) equal: usize,
}

/// Causes of the largest peaks of executors: the most frequent one, for the classes whose peak
/// differs; in full detail all.
pub(in crate::render) fn causes(comparison: &Comparison, detail: Detail) -> Table {
    let headings = ["class", "version", "cause", "runs", "growth", "without it"];
    let mut table = Table::new(&headings, 3);
    let is_shown = |peaks: &&PeakCauses| peaks.differs || detail == Detail::Full;
    for peaks in comparison.attribution.peaks.iter().filter(is_shown) {
        for (role, causes) in [(Role::Base, &peaks.base), (Role::Candidate, &peaks.candidate)] {
            let runs: usize = causes.iter().map(|cause| cause.runs).sum();
            let most = if detail == Detail::Full { causes.len() } else { 1 };
            for cause in causes.iter().take(most) {
                table.rows.push(row_of_cause(peaks, role, cause, runs));
            }
        }
    }
    table
}

fn row_of_cause(peaks: &PeakCauses, role: Role, cause: &CauseOfPeaks, runs: usize) -> Vec<Cell> {
    let size = |size: Option<ByteSize>, sign: &str| match size {
        Some(size) => Cell::Plain(format!("{sign}{}", Amount::Size(size))),
        None => Cell::Unknown,
    };
    vec![
        Cell::Plain(peaks.class.to_string()),
        Cell::Plain(role.name().to_owned()),
        Cell::Plain(cause.cause.to_string()),
        Cell::Plain(format!("{} of {runs}", cause.runs)),
        size(cause.growth, "+"),
        size(cause.without, ""),
    ]
}

/// Costs of requests that differ, of many the first; in full detail all.
pub(in crate::render) fn costs(comparison: &Comparison, detail: Detail) -> Costs {
    let costs = &comparison.attribution.costs;
    let figures: Vec<(&CostComparison, &FigureComparison)> =
        costs.iter().flat_map(|cost| cost.figures.iter().map(move |it| (cost, it))).collect();
    let shown: Vec<_> = match detail {
        Detail::Full => figures.clone(),
        Detail::Compact => figures.iter().filter(|(_, it)| it.differs).copied().collect(),
    };
    let most = if detail == Detail::Full { shown.len() } else { MOST_ROWS };
    let mut table = Table::new(&["request", "figure", "base", "candidate", "change"], 2);
    for (cost, figure) in shown.iter().take(most) {
        table.rows.push(row_of_cost(cost, figure));
    }
    let more = shown.len() - table.rows.len();
    Costs { equal: figures.len() - shown.len(), table, more }
}

fn row_of_cost(cost: &CostComparison, figure: &FigureComparison) -> Vec<Cell> {
    let amount = |amount: Option<Amount>, runs: usize| match amount {
        Some(amount) => Cell::Plain(amount.to_string()),
        None if runs == 0 => Cell::Plain("not seen".to_owned()),
        None => Cell::Unknown,
    };
    let change = figure.change().map(|change| match change {
        FigureChange::Bytes(number) => signed_amount(number, Unit::Size),
        FigureChange::Ratio(ratio) => signed_percent(ratio),
    });
    vec![
        Cell::Plain(cost.kind.to_string()),
        Cell::Plain(figure.figure.name().to_owned()),
        amount(figure.base, cost.runs_of_base),
        amount(figure.candidate, cost.runs_of_candidate),
        change.map_or(Cell::Unknown, Cell::Plain),
    ]
}
