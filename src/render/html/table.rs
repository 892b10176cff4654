//! Table of the page.

use crate::render::table::{self, Signs};

/// Signs of the page for cells that are not plain text.
const SIGNS: Signs = Signs { at_least: "≥ ", to: "→", unknown: "–" };

/// Table with a caption. The first column names the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Caption of the table, with its unit.
    pub(super) caption: String,
    /// Headings of the columns; empty for a list of facts.
    pub(super) headings: Vec<String>,
    /// Number of leading columns that hold text.
    pub(super) text_columns: usize,
    /// Rows, each as long as the headings if there are any.
    pub(super) rows: Vec<Vec<String>>,
    /// Lines below the table.
    pub(super) notes: Vec<String>,
}

impl Table {
    pub(super) fn new(caption: impl Into<String>, headings: &[&str], text_columns: usize) -> Self {
        Self {
            caption: caption.into(),
            headings: headings.iter().map(|heading| (*heading).to_owned()).collect(),
            text_columns,
            ..Self::default()
        }
    }

    /// Table of all renderers, with a caption and the page's signs.
    pub(super) fn showing(caption: impl Into<String>, shown: table::Table) -> Self {
        Self {
            caption: caption.into(),
            rows: shown.written(&SIGNS).collect(),
            headings: shown.headings,
            text_columns: shown.text_columns,
            notes: shown.notes,
        }
    }

    /// Table of facts: names and values, without headings.
    pub(super) fn facts(caption: &str) -> Self {
        Self::new(caption, &[], 2)
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a fact, if it has a value.
    pub(super) fn fact(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.row([name.to_owned(), value]);
        }
    }
}
