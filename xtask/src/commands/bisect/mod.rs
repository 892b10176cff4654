//! `cargo xtask bisect`: search for the version that made a metric worse.
//!
//! * [`order`]: versions, metric and limits, from flags or from a bisection to continue.
//! * [`steps`]: comparisons of versions with the good one, one after the other.

mod order;
mod steps;

use anyhow::Result;
use host::print;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::comparison::Bisection;
use skyload::record::BisectionDir;
use skyload::render::bisection::render_text;

use crate::commands::load::Coordinator;
use crate::flags::{self, Format, Output};
use crate::github;
use order::Order;

pub(crate) fn run(flags: flags::Bisect) -> Result<u8> {
    let workspace = Workspace::locate()?;
    let (files, output) = (flags.paired.results.files, flags.paired.results.output);
    let progress = Progress::new().verbose(output.verbose);
    let order = Order::read(flags, &workspace, progress)?;
    // Before `Signals::listen`, so that Ctrl-C at the prompt ends the program immediately.
    order.confirm()?;
    let signals = Signals::listen()?;
    let coordinator =
        Coordinator { workspace: &workspace, signals: &signals, progress, live: None };
    let searched = signals.mark_interrupted(steps::search(order, files, coordinator))?;
    let (bisection, directory) = (&searched.bisection, &searched.directory);
    // Before standard output, whose reader may close the pipe at any time.
    github::summarize(&directory.markdown());
    show(bisection, directory, output)?;
    Ok(bisection.outcome.exit_code())
}

/// Writes a bisection to standard output.
fn show(bisection: &Bisection, directory: &BisectionDir, output: Output) -> Result<()> {
    const WHAT: &str = "the bisection";
    match output.format {
        Format::Json => print::json(WHAT, bisection),
        Format::Text => {
            print::text(WHAT, |out| render_text(bisection, Some(directory.path()), out))
        }
    }
}
