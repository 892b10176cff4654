//! `cargo xtask ab`: runs of two SkyPilots in turn, until each metric that decides is decided.
//!
//! * [`order`]: what is asked for, from flags or from the record of a comparison to continue.
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
use order::Order;

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
    compare::show(&compared.comparison, &compared.directory, output)?;
    Ok(compared.exit_code())
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
    let (versions, ab) = order.prepare(coordinator)?;
    pairs::run(&versions, ab, files, coordinator)
}
