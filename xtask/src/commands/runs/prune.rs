//! `cargo xtask runs prune`: old runs are removed, others are not touched.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use host::print;
use host::workspace::Workspace;
use skyload::record::is_run_link;
use skyload::units::{ByteSize, as_mib};

use super::{RunDirectory, RunState, RunSummary};
use crate::flags::Prune;
use crate::server;

/// A run's plan is written a moment after its directory is made: a younger one without may
/// be beginning, also where another checkout does it.
const BEGUN_WITHIN: Duration = Duration::from_secs(60);

pub(super) fn run(flags: &Prune, workspace: &Workspace, folder: &Path) -> Result<()> {
    // Held, no run of this state directory begins meanwhile.
    let _lock = workspace.try_lock()?;
    let directories = RunDirectory::all_in(folder)?;
    let is_due = |place: usize, run: &RunDirectory| {
        place >= flags.keep && flags.older_than.is_none_or(|limit| run.age() > limit)
    };
    let (mut kept, mut count, mut freed, mut failures) = (Vec::new(), 0, 0, Vec::new());
    for (place, directory) in directories.iter().enumerate() {
        if !is_due(place, directory) {
            kept.push(directory);
            continue;
        }
        let summary = RunSummary::read(directory, workspace);
        if let Some(reason) = why_not(directory, &summary)? {
            say(format_args!("Kept {}: {reason}", summary.run))?;
            kept.push(directory);
            continue;
        }
        let size = as_mib(ByteSize(summary.bytes));
        let verb = if flags.dry_run { "Would remove" } else { "Removed" };
        if !flags.dry_run
            && let Err(error) = fs::remove_dir_all(&summary.path)
        {
            failures.push(format!("`{}`: {error}", summary.path.display()));
            kept.push(directory);
            continue;
        }
        say(format_args!("{verb} {} ({size:.1} MiB)", summary.run))?;
        (count, freed) = (count + 1, freed + summary.bytes);
    }
    if !flags.dry_run {
        renew_latest(folder, kept.first().copied())?;
    }
    let verb = if flags.dry_run { "would be removed" } else { "removed" };
    say(format_args!(
        "{count} run(s) {verb}, {:.1} MiB; {} kept",
        as_mib(ByteSize(freed)),
        kept.len()
    ))?;
    ensure!(failures.is_empty(), "removing runs failed:\n  {}", failures.join("\n  "));
    Ok(())
}

fn say(line: std::fmt::Arguments<'_>) -> Result<()> {
    print::text("what was removed", |out| writeln!(out, "{line}"))
}

/// Why a run must stay, if it must. It need not be one of this checkout.
fn why_not(directory: &RunDirectory, run: &RunSummary) -> Result<Option<&'static str>> {
    let reason = match run.state {
        RunState::UnderWay => Some("it is under way"),
        RunState::Broken(_) if directory.unchanged_for() < BEGUN_WITHIN => {
            Some("it was made just now, and may be beginning")
        }
        _ if run.in_custody => {
            Some("its server was kept or has yet to be cleared away, which the next run does")
        }
        _ if server::has_processes(&directory.run)? => {
            Some("its server still runs; the next run from where it was made clears that away")
        }
        _ => None,
    };
    Ok(reason)
}

/// Has `latest` lead to the newest run that is still there, or nowhere, if it led to one
/// that is gone. What else is called that is somebody else's.
fn renew_latest(folder: &Path, newest: Option<&RunDirectory>) -> Result<()> {
    let link = folder.join("latest");
    if link.exists() || !is_run_link(&link) {
        return Ok(());
    }
    match newest {
        Some(newest) => newest.run.link_latest().map(|_| ()).map_err(Into::into),
        None => fs::remove_file(&link)
            .with_context(|| format!("removing the link `{}`", link.display())),
    }
}
