//! Table of thresholds.

use super::{Cell, Table};
use crate::analysis::{Report, ThresholdCheck};
use crate::metric::Abort;
use crate::render::table::STATUS;

/// Table of all thresholds, skipped ones included; `None` without thresholds.
pub(in crate::render) fn all(report: &Report) -> Option<Table> {
    let checks = &report.thresholds;
    let has_abort = checks.iter().any(|check| check.threshold.abort.is_some());
    let mut headings = vec!["threshold", "measured", STATUS];
    headings.extend(has_abort.then_some("ends the load"));
    let mut table = Table::new(&headings, 1);
    for check in checks {
        let mut row = vec![
            Cell::plain(&check.threshold),
            check.measured_text().map_or(Cell::Unknown, Cell::Plain),
            Cell::Plain(status(check)),
        ];
        row.extend(has_abort.then(|| Cell::Plain(when(check.threshold.abort))));
        table.rows.push(row);
    }
    (!table.is_empty()).then_some(table)
}

fn status(check: &ThresholdCheck) -> String {
    let name = check.state.name();
    match check.state.skipped() {
        Some(reason) => format!("{name}: {reason}"),
        None => name.to_owned(),
    }
}

/// Time from which a breach ends the load.
fn when(abort: Option<Abort>) -> String {
    match abort {
        None => "no".to_owned(),
        Some(abort) if abort.after.is_zero() => "at once".to_owned(),
        Some(abort) => format!("after {}", humantime::format_duration(abort.after)),
    }
}
