//! Tables with titles, and how they are written for a terminal and as Markdown.

use std::io::{self, Write};

use skyload::render::table::Table;

/// Indentation of the lines below a title.
const INDENT: &str = "  ";

/// Table with its title.
pub(crate) struct Titled {
    pub(crate) title: String,
    pub(crate) table: Table,
}

/// Writes a setting, tables and notes for a terminal.
pub(crate) fn write_text(
    setting: &str,
    tables: &[Titled],
    notes: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "{setting}")?;
    for Titled { title, table } in tables {
        writeln!(out, "\n{title}")?;
        table.text(INDENT, out)?;
    }
    if !notes.is_empty() {
        writeln!(out)?;
    }
    notes.iter().try_for_each(|note| writeln!(out, "{INDENT}{note}"))
}

/// Writes a setting, tables and notes as Markdown.
pub(crate) fn write_markdown(
    setting: &str,
    tables: &[Titled],
    notes: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "{setting}")?;
    for Titled { title, table } in tables {
        writeln!(out, "\n{title}:\n")?;
        table.markdown(out)?;
    }
    notes.iter().try_for_each(|note| writeln!(out, "\n{note}"))
}
