//! Budgets: all of them, and the columns in which another table shows them.

use super::{Cell, Table};
use crate::analysis::{BudgetCheck, Report};
use crate::budget::BudgetSubject;

/// The headings of [`columns`].
pub(super) const HEADINGS: [&str; 3] = ["budget", "headroom", ""];

/// Every budget, also one that was not tried; `None` where there is none.
pub(in crate::render) fn all(report: &Report) -> Option<Table> {
    let mut table = Table::new(&["budget", "measured", "limit", "headroom", ""], 1);
    for check in &report.budgets {
        let amount = |amount: Option<_>| amount.map_or(Cell::Unknown, Cell::plain);
        table.rows.push(vec![
            Cell::plain(check.subject),
            amount(check.measured).bounded(report.is_lower_bound(check.subject)),
            amount(check.limit),
            headroom(check),
            Cell::plain(check.state.name()),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// The limit, what is left of it, and what follows.
pub(in crate::render) fn columns(checks: &[BudgetCheck], subject: BudgetSubject) -> [Cell; 3] {
    match checks.iter().find(|check| check.subject == subject) {
        None => [Cell::blank(), Cell::blank(), Cell::blank()],
        Some(check) => {
            [Cell::amount(check.limit), headroom(check), Cell::plain(check.state.name())]
        }
    }
}

fn headroom(check: &BudgetCheck) -> Cell {
    check.headroom().map_or(Cell::Unknown, |percent| Cell::Plain(format!("{percent:.0}%")))
}
