//! HTML report: one self-contained page, `report.html`; and the page of a run in progress, [`live`].
//!
//! The page contains only what the types of this module hold. A new field of the report's types
//! does not appear on the page by accident, such as an environment variable or an address.
//! [`Page`] holds the text, which the template escapes; [`data::Data`] holds the data of the
//! charts, which uPlot and the scripts in this folder draw in the browser. A security policy
//! forbids the page to load anything.

mod about;
mod charts;
mod comparison;
mod data;
mod embed;
mod executors;
mod figures;
mod latency;
mod live;
mod memory;
mod page;
mod table;

use std::io::{self, Write};

use askama::Template as _;

use crate::analysis::{ChartData, Report, Verdict};
pub use comparison::{Curves, render_comparison};
pub use figures::sentence as verdict_sentence;
pub use live::{live_charts, live_view, render_live_page};
use page::Page;

/// Writes the page with the results of `report` and charts of `data`.
pub fn render(report: &Report, data: &ChartData, out: &mut impl Write) -> io::Result<()> {
    Page::of(report, data)?.write_into(out)
}

/// Class of the style sheet for a verdict.
const fn mood(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::OverBudget | Verdict::ScenarioFailed => "bad",
        Verdict::Inconclusive => "doubtful",
    }
}
