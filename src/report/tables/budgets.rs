//! The columns in which a table shows budgets.

use super::{Cell, Table};
use crate::budget::BudgetSubject;
use crate::report::BudgetCheck;

/// The headings of [`columns`].
pub(super) const HEADINGS: [&str; 3] = ["budget", "headroom", ""];

/// The limit, what is left of it, and what follows.
pub(in crate::report) fn columns(checks: &[BudgetCheck], subject: BudgetSubject) -> [Cell; 3] {
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
