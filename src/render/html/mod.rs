//! The report as one page that opens from disk: `report.html`.
//!
//! What goes in is decided by types of this module and not by those of the report:
//! no variable and no address slips in because some type has got a new field.
//! [`Page`] holds everything as the template writes it, escaped; [`data::Data`] is
//! what charts are drawn from in the browser, by the scripts beside this file and
//! uPlot. The page forbids itself to load anything.

mod about;
mod charts;
mod data;
mod embed;
mod figures;
mod latency;
mod memory;
mod page;
mod table;

use std::io::{self, Write};

use askama::Template as _;

use crate::analysis::{ChartData, Report};
use page::Page;

/// Writes the page. The report has the results, `data` what charts are drawn from.
pub fn render(report: &Report, data: &ChartData, out: &mut impl Write) -> io::Result<()> {
    Page::of(report, data)?.write_into(out)
}
