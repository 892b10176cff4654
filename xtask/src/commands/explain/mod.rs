//! `cargo xtask explain`: what the requests behind a run's largest peaks allocate and import.
//!
//! * [`order`]: the run, its largest peaks, and how each cause is repeated.
//! * [`servers`]: a fresh server with traced executors for each.
//! * [`traces`]: what such a server has left.

mod order;
mod servers;
mod traces;

use anyhow::Result;
use host::print;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::analysis::Verdict;
use skyload::explanation::Explanation;
use skyload::record::{ExplanationDir, write_with};
use skyload::render::explanation;

use super::load::Coordinator;
use crate::flags::{self, Format, Output};
use order::Order;

pub(crate) fn run(flags: &flags::Explain) -> Result<u8> {
    let workspace = Workspace::locate()?;
    let order = Order::read(flags, &workspace)?;
    let signals = Signals::listen()?;
    let progress = Progress::new().verbose(flags.output.verbose);
    let coordinator =
        Coordinator { workspace: &workspace, signals: &signals, progress, live: None };
    let (explanation, directory) =
        signals.mark_interrupted(servers::explain(&order, coordinator))?;
    write_with(&directory.text(), |out| explanation::render(&explanation, None, out))?;
    show(&explanation, &directory, flags.output)?;
    Ok(if signals.interrupted() {
        Verdict::Inconclusive.exit_code()
    } else {
        explanation.exit_code()
    })
}

fn show(explanation: &Explanation, directory: &ExplanationDir, output: Output) -> Result<()> {
    const WHAT: &str = "the explanation";
    match output.format {
        Format::Json => print::json(WHAT, explanation),
        Format::Text => {
            print::text(WHAT, |out| explanation::render(explanation, Some(directory.path()), out))
        }
    }
}
