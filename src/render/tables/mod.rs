//! What stands in the tables that several renderers show. How a figure is written that
//! is a lower bound, or not known, is each renderer's own.

pub(super) mod budgets;
pub(super) mod cost;
pub(super) mod latency;
pub(super) mod memory;
pub(super) mod phases;

use crate::budget::Amount;
use crate::units::{ByteSize, as_mib};

/// A table: its first column names its rows.
pub(super) struct Table {
    /// The headings of its columns.
    pub(super) headings: Vec<String>,
    /// The first columns that hold words and not figures.
    pub(super) words: usize,
    /// Its rows, each as long as the headings.
    pub(super) rows: Vec<Vec<Cell>>,
    /// What is to be known about it.
    pub(super) notes: Vec<String>,
}

/// What stands in one place of a table.
pub(super) enum Cell {
    /// A word, a figure, or nothing where nothing belongs.
    Plain(String),
    /// A figure that lacks something.
    AtLeast(String),
    /// A figure before and after.
    Change(String, String),
    /// A figure that nobody knows.
    Unknown,
}

/// How a renderer writes what is no plain text.
pub(super) struct Signs {
    /// Before a lower bound.
    pub(super) at_least: &'static str,
    /// Between before and after.
    pub(super) to: &'static str,
    /// For what nobody knows.
    pub(super) unknown: &'static str,
}

impl Table {
    fn new(headings: &[&str], words: usize) -> Self {
        Self {
            headings: headings.iter().map(|heading| (*heading).to_owned()).collect(),
            words,
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Its rows as a renderer writes them.
    pub(super) fn written(&self, signs: &Signs) -> impl Iterator<Item = Vec<String>> {
        self.rows.iter().map(|row| row.iter().map(|cell| cell.written(signs)).collect())
    }
}

impl Cell {
    fn plain(text: impl ToString) -> Self {
        Self::Plain(text.to_string())
    }

    fn blank() -> Self {
        Self::Plain(String::new())
    }

    /// An amount in a table that names its unit: sizes are in MiB.
    fn amount(amount: Option<Amount>) -> Self {
        match amount {
            Some(Amount::Size(size)) => Self::Plain(in_mib(size)),
            Some(Amount::Count(count)) => Self::plain(count),
            None => Self::Unknown,
        }
    }

    fn size(size: Option<ByteSize>) -> Self {
        Self::amount(size.map(Amount::Size))
    }

    fn count(count: Option<u32>) -> Self {
        Self::amount(count.map(|count| Amount::Count(count.into())))
    }

    /// The same as a lower bound, if it is one.
    fn bounded(self, is_lower_bound: bool) -> Self {
        match self {
            Self::Plain(figure) if is_lower_bound => Self::AtLeast(figure),
            other => other,
        }
    }

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

fn in_mib(size: ByteSize) -> String {
    format!("{:.1}", as_mib(size))
}
