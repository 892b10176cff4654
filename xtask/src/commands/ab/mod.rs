//! `cargo xtask ab`: runs of two SkyPilots alternately, until each metric that decides is decided.
//!
//! * [`order`]: versions and [`limits`], from flags or from a record to continue ([`resume`]).
//! * [`versions`]: both SkyPilots, installed alike, with one plan.
//! * [`pairs`]: the runs, pair by pair.

mod limits;
mod order;
mod pairs;
mod resume;
mod versions;

use anyhow::Result;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;

use crate::commands::compare;
use crate::commands::load::Coordinator;
use crate::flags;
use crate::github;
pub(crate) use limits::{Limits, PairClock};
pub(crate) use order::{Asked, Naming, New, Resumed};
use order::{Order, Work};
pub(crate) use pairs::{Ab, FailedRun, run as run_pairs};
pub(crate) use resume::{Continued, Resumable};
pub(crate) use versions::{Versions, of_resumed};

pub(crate) fn run(flags: flags::Ab) -> Result<u8> {
    let workspace = Workspace::locate()?;
    let (files, output) = (flags.paired.results.files, flags.paired.results.output);
    let order = Order::read(flags, &workspace)?;
    // Before `Signals::listen`, so that Ctrl-C at the prompt ends the program immediately.
    order.confirm()?;
    let signals = Signals::listen()?;
    let progress = Progress::new().verbose(output.verbose);
    let coordinator =
        Coordinator { workspace: &workspace, signals: &signals, progress, live: None };
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
        Work::New(new) => {
            let (parent, runs) = (coordinator.workspace.comparisons(), new.runs.clone());
            let versions = Versions::of_new(*new, coordinator)?;
            let (directory, record) = versions.begin(&parent, runs, limits, Vec::new())?;
            (versions, directory, record)
        }
        Work::Resumed(resumed) => versions::of_resumed(*resumed, limits, coordinator)?,
    };
    let name = directory.path().file_name().unwrap_or_default().to_string_lossy();
    let resume = format!("cargo xtask ab --continue {name}");
    let ab = Ab { directory, record, config, resume };
    pairs::run(&versions, ab, &mut PairClock::default(), files, coordinator)
}
