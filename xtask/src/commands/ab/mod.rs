//! `cargo xtask ab`: runs of two SkyPilots alternately, until each metric that decides is decided.
//!
//! * [`order`]: versions and limits, from flags or from the record of a comparison to continue.
//! * [`versions`]: both SkyPilots, installed alike, with one plan.
//! * [`pairs`]: the runs, pair by pair.

mod order;
mod pairs;
mod versions;

use anyhow::Result;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;

use crate::commands::compare;
use crate::commands::load::Coordinator;
use crate::flags;
use crate::github;
use order::{Order, Work};
use pairs::Ab;

pub(crate) fn run(flags: flags::Ab) -> Result<u8> {
    let workspace = Workspace::locate()?;
    let (files, output) = (flags.results.files, flags.results.output);
    let order = Order::read(flags, &workspace)?;
    // Before `Signals::listen`, so that Ctrl-C at the prompt ends the program immediately.
    order.confirm()?;
    let signals = Signals::listen()?;
    let progress = Progress::new().verbose(output.verbose);
    let coordinator = Coordinator { workspace: &workspace, signals: &signals, progress };
    let compared = signals.mark_interrupted(make_runs(order, files, coordinator))?;
    // Before standard output, whose reader may close the pipe at any time.
    github::summarize(&compared.directory.markdown());
    compare::show(&compared.comparison, &compared.directory, output)?;
    Ok(compared.comparison.verdict.exit_code())
}

/// Makes the runs and compares them.
fn make_runs(
    order: Order,
    files: flags::Files,
    coordinator: Coordinator<'_>,
) -> Result<pairs::Compared> {
    // Before the cleanup: with the lock held, any other run of this workspace is dead.
    let _lock = coordinator.workspace.lock()?;
    coordinator.clean_up_after_dead_runs()?;
    let Order { work, limits, config } = order;
    let (versions, directory, record) = match work {
        Work::New(new) => versions::of_new(*new, limits, coordinator)?,
        Work::Resumed(resumed) => versions::of_resumed(*resumed, limits, coordinator)?,
    };
    let ab = Ab { directory, record, config };
    pairs::run(&versions, ab, files, coordinator)
}
