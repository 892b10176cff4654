//! The columns in which a table shows budgets, and the budgets that no table shows.

use std::io::{self, Write};

use crate::budget::{Amount, BudgetSubject};
use crate::report::{BudgetCheck, MemoryReport};
use crate::units::as_mib;

/// The headings of [`columns`].
pub(super) const HEADINGS: [&str; 3] = ["budget", "headroom", ""];

/// The limit, what is left of it, and what follows.
pub(super) fn columns(checks: &[BudgetCheck], subject: BudgetSubject) -> [String; 3] {
    let check = checks.iter().find(|check| check.subject == subject);
    let Some(check) = check else { return [const { String::new() }; 3] };
    let headroom =
        check.headroom().map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0}%"));
    [amount(check.limit), headroom, check.state.name().to_owned()]
}

/// An amount in a table that names its unit; sizes are in MiB.
pub(super) fn amount(amount: Option<Amount>) -> String {
    match amount {
        Some(Amount::Size(size)) => format!("{:.1}", as_mib(size)),
        Some(Amount::Count(count)) => count.to_string(),
        None => "-".to_owned(),
    }
}

/// An amount in a table; one that is a lower bound is marked as such.
pub(super) fn bounded(figure: Option<Amount>, is_lower_bound: bool) -> String {
    let mark = if is_lower_bound && figure.is_some() { ">=" } else { "" };
    format!("{mark}{}", amount(figure))
}

/// Budgets for classes of which there was no process have no row of their own.
pub(super) fn of_absent_classes(
    memory: &MemoryReport,
    checks: &[BudgetCheck],
    out: &mut impl Write,
) -> io::Result<()> {
    for check in checks {
        if let BudgetSubject::Class(class) = check.subject
            && memory.class(class).is_none()
        {
            let [limit, _, state] = columns(checks, check.subject);
            writeln!(out, "  {class}: budget {limit}, {state}")?;
        }
    }
    Ok(())
}
