//! Table of the steps of a bisection, for text and Markdown.

use crate::comparison::{Bisection, BisectionStep};
use crate::metric::Amount;
use crate::render::comparison::rows;
use crate::render::table::{Cell, Table, VERDICT};

/// Table of the versions that were compared, oldest first.
pub(super) fn steps(bisection: &Bisection) -> Table {
    let headings = ["version", "step", "pairs", "base", "candidate", "change", "interval", VERDICT];
    let mut table = Table::new(&headings, 1);
    let mut steps: Vec<(usize, &BisectionStep)> = bisection.steps.iter().enumerate().collect();
    steps.sort_by_key(|(_, step)| step.position);
    for (index, step) in steps {
        let metric = step.metric.as_ref();
        let mean = |amount: Option<Amount>| {
            amount.map_or(Cell::Unknown, |amount| Cell::Plain(amount.to_string()))
        };
        let [change, interval] = match metric.and_then(|it| Some((it, it.change?))) {
            Some((metric, change)) => {
                [rows::signed(&change, change.estimate, metric), rows::interval(&change, metric)]
                    .map(Cell::Plain)
            }
            None => [Cell::Unknown, Cell::Unknown],
        };
        table.rows.push(vec![
            Cell::Plain(bisection.revision(step.position).name()),
            Cell::Plain((index + 1).to_string()),
            Cell::Plain(step.pairs.to_string()),
            mean(metric.and_then(|metric| metric.base)),
            mean(metric.and_then(|metric| metric.candidate)),
            change,
            interval,
            Cell::Plain(step.verdict.name().to_owned()),
        ]);
    }
    table
}
