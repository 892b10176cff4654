//! Table of budgets, and the columns for budgets in other tables.

use super::{Cell, Table};
use crate::analysis::{LimitCheck, Report};
use crate::metric::Metric;

/// Headings of [`columns`].
pub(super) const HEADINGS: [&str; 3] = ["budget", "headroom", "status"];

/// Table of all budgets, skipped ones included; `None` without budgets.
pub(in crate::render) fn all(report: &Report) -> Option<Table> {
    let mut table = Table::new(&["budget", "measured", "limit", "headroom", "status"], 1);
    for check in &report.budgets {
        let cell = |text: Option<String>| text.map_or(Cell::Unknown, Cell::Plain);
        table.rows.push(vec![
            Cell::plain(check.metric),
            cell(check.measured_text()).bounded(report.is_lower_bound(check.metric)),
            cell(check.limit.map(|limit| limit.to_string())),
            headroom(check),
            Cell::plain(check.state.name()),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Cells of the budget for a metric: limit, headroom and status; blank without a budget.
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
