//! Contents of tables that several renderers write, each with its own signs for lower bounds and
//! unknown figures.

pub(super) mod attribution;
pub(super) mod budgets;
pub(super) mod growth_rates;
pub(super) mod latency;
pub(super) mod memory;
pub(super) mod overhead;
pub(super) mod phases;
pub(super) mod server_size;
pub(super) mod server_view;
pub(super) mod thresholds;

use super::table::{Cell, Table};
use crate::analysis::Measured;
use crate::metric::Amount;
use crate::render::format::seconds;
use crate::units::{ByteSize, as_mib, in_tenths, significant};

impl Cell {
    fn plain(text: impl ToString) -> Self {
        Self::Plain(text.to_string())
    }

    fn blank() -> Self {
        Self::Plain(String::new())
    }

    /// Amount without its unit, which the table names: sizes in MiB, durations in seconds,
    /// growth in MiB per hour.
    fn amount(amount: Option<Amount>) -> Self {
        match amount {
            Some(Amount::Size(size)) => Self::Plain(in_mib(size)),
            Some(Amount::Count(count)) => Self::plain(count),
            Some(Amount::Duration(duration)) => Self::Plain(seconds(duration)),
            Some(Amount::Share(share)) => Self::plain(share),
            Some(Amount::Rate(rate)) => Self::Plain(significant(rate, 0)),
            Some(Amount::GrowthRate(rate)) => Self::Plain(in_tenths(rate.as_mib_per_hour())),
            None => Self::Unknown,
        }
    }

    /// Measured amount without its unit, marked if it is a lower bound.
    fn measured(measured: Measured) -> Self {
        Self::amount(measured.amount()).bounded(measured.is_lower_bound())
    }

    fn size(size: Option<ByteSize>) -> Self {
        Self::amount(size.map(Amount::Size))
    }

    fn count(count: Option<u32>) -> Self {
        Self::amount(count.map(|count| Amount::Count(count.into())))
    }

    /// Cell marked as a lower bound if it is one.
    fn bounded(self, is_lower_bound: bool) -> Self {
        match self {
            Self::Plain(figure) if is_lower_bound => Self::AtLeast(figure),
            other => other,
        }
    }
}

fn in_mib(size: ByteSize) -> String {
    format!("{:.1}", as_mib(size))
}
