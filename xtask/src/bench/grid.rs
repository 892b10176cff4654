//! A table before it is text: the same for a terminal and for the documentation.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};

/// Headings and rows. The first column holds words, the others figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) title: String,
    pub(super) headings: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Grid {
    /// A table without rows.
    pub(super) fn new(title: impl Into<String>, headings: &[&str]) -> Self {
        let headings = headings.iter().map(|&heading| heading.to_owned()).collect();
        Self { title: title.into(), headings, rows: Vec::new() }
    }

    /// For a terminal.
    pub(super) fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(&self.headings);
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if index > 0 {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.add_rows(&self.rows);
        writeln!(out, "\n{}", self.title)?;
        for line in table.to_string().lines() {
            writeln!(out, "  {}", line.trim_end())?;
        }
        Ok(())
    }

    /// For the documentation.
    pub(super) fn markdown(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\n{}:\n", self.title)?;
        writeln!(out, "| {} |", self.headings.join(" | "))?;
        writeln!(out, "|---|{}", "---:|".repeat(self.headings.len().saturating_sub(1)))?;
        for row in &self.rows {
            writeln!(out, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let mut grid = Grid::new("Costs", &["who", "us", "x"]);
        grid.rows.push(["ours", "350", "1.0"].map(str::to_owned).to_vec());
        grid.rows.push(["theirs", "16211", "46.3"].map(str::to_owned).to_vec());
        grid
    }

    fn rendered(render: impl Fn(&Grid, &mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        render(&grid(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn figures_stand_below_one_another_on_a_terminal() {
        let text = rendered(|grid, out| grid.text(out));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "Costs");
        assert_eq!(lines[3], "  ours      350   1.0");
        assert_eq!(lines[4], "  theirs  16211  46.3");
    }

    #[test]
    fn markdown_has_a_row_of_rules_with_a_cell_for_each_heading() {
        let text = rendered(|grid, out| grid.markdown(out));
        let rows = "| who | us | x |\n|---|---:|---:|\n| ours | 350 | 1.0 |\n";
        assert!(text.starts_with(&format!("\nCosts:\n\n{rows}")), "{text}");
    }
}
