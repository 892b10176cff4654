//! Sections of named facts in the text report: OVERHEAD, SERVER SIZE.

use std::io::{self, Write};

use crate::render::tables::overhead::Row;

/// Writes the rows, with a heading if there are any.
pub(super) fn render(
    heading: &str,
    rows: impl IntoIterator<Item = Row>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_some() {
        writeln!(out, "\n{heading}")?;
    }
    for (name, text) in rows {
        writeln!(out, "  {name}: {text}")?;
    }
    Ok(())
}
