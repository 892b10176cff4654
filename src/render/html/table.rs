//! Tables of the page.

use crate::render::table::{self, Signs};

/// How the page writes what is no plain text.
const SIGNS: Signs = Signs { at_least: "≥ ", to: "→", unknown: "–" };

/// A table: its first column names its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// What it shows.
    pub(super) caption: String,
    /// The headings of its columns; none for a list of facts.
    pub(super) headings: Vec<String>,
    /// The first columns that hold words and not figures.
    pub(super) words: usize,
    /// Its rows, each as long as the headings where there are any.
    pub(super) rows: Vec<Vec<String>>,
    /// What is to be known about it.
    pub(super) notes: Vec<String>,
}

impl Table {
    pub(super) fn new(caption: impl Into<String>, headings: &[&str], words: usize) -> Self {
        Self {
            caption: caption.into(),
            headings: headings.iter().map(|heading| (*heading).to_owned()).collect(),
            words,
            ..Self::default()
        }
    }

    /// A table that other renderers show, too.
    pub(super) fn showing(caption: impl Into<String>, shown: table::Table) -> Self {
        Self {
            caption: caption.into(),
            rows: shown.written(&SIGNS).collect(),
            headings: shown.headings,
            words: shown.words,
            notes: shown.notes,
        }
    }

    /// A table of names and what they stand for, which needs no headings.
    pub(super) fn facts(caption: &str) -> Self {
        Self::new(caption, &[], 2)
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Adds a row of a name and a text, where there is a text.
    pub(super) fn fact(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.row([name.to_owned(), value]);
        }
    }
}
