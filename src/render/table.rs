//! Table for text and Markdown, with figures aligned alike in both. The HTML report writes the
//! same rows in its template.

use std::io::{self, Write};

use comfy_table::{CellAlignment, presets};

/// Heading of the column with the result of checking a figure against its limit.
pub(super) const STATUS: &str = "status";

/// Heading of the column with the verdict on a metric of a comparison.
pub(super) const VERDICT: &str = "verdict";

/// Table with headings. The first columns hold text, the others figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Headings of the columns.
    pub(super) headings: Vec<String>,
    /// Number of leading columns that hold text.
    pub(super) text_columns: usize,
    /// Rows, each as long as the headings.
    pub(super) rows: Vec<Vec<Cell>>,
    /// Lines below the table.
    pub(super) notes: Vec<String>,
}

/// Cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Text or figure; empty if the column does not apply to the row.
    Plain(String),
    /// Lower bound.
    AtLeast(String),
    /// Figure before and after.
    Change(String, String),
    /// Figure that is unknown.
    Unknown,
}

/// Signs of a renderer for cells that are not plain.
pub(super) struct Signs {
    /// Sign before a lower bound.
    pub(super) at_least: &'static str,
    /// Sign between the figures of a change.
    pub(super) to: &'static str,
    /// Sign for an unknown figure.
    pub(super) unknown: &'static str,
}

impl Signs {
    /// Signs for text.
    pub(super) const TEXT: Self = Self { at_least: ">=", to: "->", unknown: "-" };
    /// Signs for Markdown.
    const MARKDOWN: Self = Self { at_least: "≥ ", to: "→", unknown: "-" };
}

impl Table {
    /// Table without rows, with text in the first `text_columns` columns.
    pub fn new(headings: &[&str], text_columns: usize) -> Self {
        Self {
            headings: headings.iter().map(|heading| (*heading).to_owned()).collect(),
            text_columns,
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a row as long as the headings.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Table whose texts are changed by `change`, such as to escape them.
    pub(super) fn with_texts(mut self, change: impl Fn(&str) -> String) -> Self {
        let columns = self.text_columns;
        for cell in self.rows.iter_mut().flat_map(|row| row.iter_mut().take(columns)) {
            if let Cell::Plain(text) = cell {
                *text = change(text);
            }
        }
        self
    }

    /// Whether the table has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the table as text, each line after `indent`. Without rows, only the notes are
    /// written.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn text(&self, indent: &str, out: &mut impl Write) -> io::Result<()> {
        if !self.is_empty() {
            for line in self.layout().lines() {
                writeln!(out, "{indent}{}", line.trim_end())?;
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "{indent}{note}"))
    }

    /// Writes the table as Markdown, without its notes. Cells must be escaped already if they may
    /// contain Markdown.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn markdown(&self, out: &mut impl Write) -> io::Result<()> {
        let mut row = |cells: &[String]| writeln!(out, "| {} |", cells.join(" | "));
        let rule = |(column, heading): (usize, &String)| match self.is_text(column, heading) {
            true => "---".to_owned(),
            false => "--:".to_owned(),
        };
        row(&self.headings)?;
        row(&self.headings.iter().enumerate().map(rule).collect::<Vec<_>>())?;
        self.written(&Signs::MARKDOWN).try_for_each(|cells| row(&cells))
    }

    /// Rows as text, with the signs of a renderer.
    pub(super) fn written(&self, signs: &Signs) -> impl Iterator<Item = Vec<String>> {
        self.rows.iter().map(|row| row.iter().map(|cell| cell.written(signs)).collect())
    }

    /// Whether a column holds text: one of the first, or a status.
    fn is_text(&self, column: usize, heading: &str) -> bool {
        column < self.text_columns || ["", STATUS, VERDICT].contains(&heading)
    }

    fn layout(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_header(&self.headings);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if !self.is_text(index, self.headings.get(index).map_or("", String::as_str)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.add_rows(self.written(&Signs::TEXT));
        table.to_string()
    }
}

impl Cell {
    /// Cell as text, with the signs of a renderer.
    pub(super) fn written(&self, signs: &Signs) -> String {
        match self {
            Self::Plain(text) => text.clone(),
            Self::AtLeast(figure) => format!("{}{figure}", signs.at_least),
            Self::Change(before, after) => format!("{before} {} {after}", signs.to),
            Self::Unknown => signs.unknown.to_owned(),
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["name", "us", "x", ""], 1);
        let plain = |text: &str| Cell::Plain(text.to_owned());
        table.row([plain("quick"), plain("350"), Cell::AtLeast("1.0".to_owned()), plain("ok")]);
        table.row([plain("slow"), plain("16211"), Cell::Unknown, plain("FAILED")]);
        table.notes.push("a note".to_owned());
        table
    }

    fn rendered(render: impl Fn(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        render(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn figures_are_right_aligned_on_a_terminal_and_notes_follow() {
        let lines = [
            "  name      us      x",
            "  quick    350  >=1.0  ok",
            "  slow   16211      -  FAILED",
            "  a note",
        ];
        assert_eq!(rendered(|out| table().text("  ", out)).lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn markdown_has_a_row_of_rules_with_a_cell_for_each_heading() {
        let lines = [
            "| name | us | x |  |",
            "| --- | --: | --: | --- |",
            "| quick | 350 | ≥ 1.0 | ok |",
            "| slow | 16211 | - | FAILED |",
        ];
        assert_eq!(rendered(|out| table().markdown(out)).lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn a_table_without_rows_is_its_notes() {
        let mut table = Table { rows: Vec::new(), ..table() };
        assert_eq!(rendered(|out| table.text("", out)), "a note\n");
        table.notes.clear();
        assert_eq!(rendered(|out| table.text("", out)), "");
    }
}
