//! OVERHEAD in the text report.

use std::io::{self, Write};

use crate::render::tables::overhead::Row;

/// Writes the rows, with a heading if there are any.
pub(super) fn render(rows: impl Iterator<Item = Row>, out: &mut impl Write) -> io::Result<()> {
    let mut rows = rows.peekable();
    if rows.peek().is_some() {
        writeln!(out, "\nOVERHEAD")?;
    }
    for (name, text) in rows {
        writeln!(out, "  {name}: {text}")?;
    }
    Ok(())
}
