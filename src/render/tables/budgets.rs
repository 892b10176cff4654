//! Budgets: all of them, and the columns in which another table shows them.

use super::{Cell, Table};
use crate::analysis::{LimitCheck, Report};
use crate::metric::Metric;

/// The headings of [`columns`].
pub(super) const HEADINGS: [&str; 3] = ["budget", "headroom", "status"];

/// Every budget, also one that was not tried; `None` where there is none.
pub(in crate::render) fn all(report: &Report) -> Option<Table> {
    let mut table = Table::new(&["budget", "measured", "limit", "headroom", "status"], 1);
    for check in &report.budgets {
        let amount = |amount: Option<_>| amount.map_or(Cell::Unknown, Cell::plain);
        table.rows.push(vec![
            Cell::plain(check.metric),
            amount(check.measured).bounded(report.is_lower_bound(check.metric)),
            amount(check.limit),
            headroom(check),
            Cell::plain(check.state.name()),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// The limit, what is left of it, and what follows.
pub(in crate::render) fn columns(checks: &[LimitCheck], metric: Metric) -> [Cell; 3] {
    match checks.iter().find(|check| check.metric == metric) {
        None => [Cell::blank(), Cell::blank(), Cell::blank()],
        Some(check) => {
            [Cell::amount(check.limit), headroom(check), Cell::plain(check.state.name())]
        }
    }
}

fn headroom(check: &LimitCheck) -> Cell {
    check.headroom().map_or(Cell::Unknown, |percent| Cell::Plain(format!("{percent:.0}%")))
}
