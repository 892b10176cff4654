//! A table for a terminal and for Markdown: one type, so that figures are aligned alike
//! wherever they are shown. The page writes the same rows by itself.

use std::io::{self, Write};

use comfy_table::{CellAlignment, presets};

/// Heading of the column that says how a row's figure compares with its limit.
pub(super) const STATUS: &str = "status";

/// Headings and rows. The first columns hold words, the others figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The headings of its columns.
    pub(super) headings: Vec<String>,
    /// How many of the columns hold words.
    pub(super) words: usize,
    /// Its rows, each as long as the headings.
    pub(super) rows: Vec<Vec<Cell>>,
    /// Lines below it.
    pub(super) notes: Vec<String>,
}

/// The content of one place of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A word, a figure, or nothing where nothing belongs.
    Plain(String),
    /// A figure that lacks something.
    AtLeast(String),
    /// A figure before and after.
    Change(String, String),
    /// A figure that is not known.
    Unknown,
}

/// How a renderer writes a cell that is no plain text.
pub(super) struct Signs {
    /// Before a lower bound.
    pub(super) at_least: &'static str,
    /// Between before and after.
    pub(super) to: &'static str,
    /// For a figure that is not known.
    pub(super) unknown: &'static str,
}

impl Signs {
    /// Those of a terminal.
    pub(super) const TEXT: Self = Self { at_least: ">=", to: "->", unknown: "-" };
    /// Those of Markdown.
    const MARKDOWN: Self = Self { at_least: "≥ ", to: "→", unknown: "-" };
}

impl Table {
    /// A table without rows.
    pub fn new(headings: &[&str], words: usize) -> Self {
        Self {
            headings: headings.iter().map(|heading| (*heading).to_owned()).collect(),
            words,
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a row, which is as long as the headings.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it for a terminal, each line behind `indent`. Of a table without rows, that is
    /// only its notes.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn text(&self, indent: &str, out: &mut impl Write) -> io::Result<()> {
        if !self.is_empty() {
            for line in self.laid_out().lines() {
                writeln!(out, "{indent}{}", line.trim_end())?;
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "{indent}{note}"))
    }

    /// Writes it as Markdown, but for its notes. Cells from outside come escaped. Words are
    /// aligned to the left.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written to.
    pub fn markdown(&self, out: &mut impl Write) -> io::Result<()> {
        let mut row = |cells: &[String]| writeln!(out, "| {} |", cells.join(" | "));
        let rule = |(column, heading): (usize, &String)| match self.has_words(column, heading) {
            true => "---".to_owned(),
            false => "--:".to_owned(),
        };
        row(&self.headings)?;
        row(&self.headings.iter().enumerate().map(rule).collect::<Vec<_>>())?;
        self.written(&Signs::MARKDOWN).try_for_each(|cells| row(&cells))
    }

    /// Its rows as a renderer writes them.
    pub(super) fn written(&self, signs: &Signs) -> impl Iterator<Item = Vec<String>> {
        self.rows.iter().map(|row| row.iter().map(|cell| cell.written(signs)).collect())
    }

    /// Whether a column holds words: one of the first, or the last one's status.
    fn has_words(&self, column: usize, heading: &str) -> bool {
        column < self.words || heading.is_empty() || heading == STATUS
    }

    fn laid_out(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_header(&self.headings);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if !self.has_words(index, self.headings.get(index).map_or("", String::as_str)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.add_rows(self.written(&Signs::TEXT));
        table.to_string()
    }
}

impl Cell {
    /// The cell as a renderer writes it.
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
        let mut table = Table::new(&["who", "us", "x", ""], 1);
        let plain = |text: &str| Cell::Plain(text.to_owned());
        table.row([plain("ours"), plain("350"), Cell::AtLeast("1.0".to_owned()), plain("ok")]);
        table.row([plain("theirs"), plain("16211"), Cell::Unknown, plain("FAILED")]);
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
            "  who        us      x",
            "  ours      350  >=1.0  ok",
            "  theirs  16211      -  FAILED",
            "  a note",
        ];
        assert_eq!(rendered(|out| table().text("  ", out)).lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn markdown_has_a_row_of_rules_with_a_cell_for_each_heading() {
        let lines = [
            "| who | us | x |  |",
            "| --- | --: | --: | --- |",
            "| ours | 350 | ≥ 1.0 | ok |",
            "| theirs | 16211 | - | FAILED |",
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
