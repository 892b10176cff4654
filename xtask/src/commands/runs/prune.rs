//! `cargo xtask runs prune`: removal of old runs.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use host::print;
use host::workspace::Workspace;
use skyload::record::is_run_link;
use skyload::units::{ByteSize, as_mib, counted};

use super::{RunDirectory, RunState, RunSummary};
use crate::flags::Prune;
use crate::server;

/// Age up to which a directory without a plan may belong to a run that is starting, also from
/// another checkout: a run writes its plan shortly after it has created its directory.
const MAY_BE_STARTING: Duration = Duration::from_secs(60);

pub(super) fn run(flags: &Prune, workspace: &Workspace, folder: &Path) -> Result<()> {
    // While this is held, no run of this state directory can start.
    // Without it, a run may be active: that one is kept, since its coordinator lives.
    let _lock = workspace.try_lock()?;
    let directories = RunDirectory::all_in(folder)?;
    let is_due = |index: usize, run: &RunDirectory| {
        index >= flags.keep && flags.older_than.is_none_or(|limit| run.age() > limit)
    };
    let (mut kept, mut count, mut freed, mut failures) = (Vec::new(), 0, 0, Vec::new());
    for (index, directory) in directories.iter().enumerate() {
        if !is_due(index, directory) {
            kept.push(directory);
            continue;
        }
        let summary = RunSummary::read(directory, workspace);
        if let Some(reason) = reason_to_keep(directory, &summary)? {
            print_line(format_args!("Kept {}: {reason}", summary.run))?;
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
        print_line(format_args!("{verb} {} ({size:.1} MiB)", summary.run))?;
        (count, freed) = (count + 1, freed + summary.bytes);
    }
    if !flags.dry_run {
        update_latest(folder, kept.first().copied())?;
    }
    let verb = if flags.dry_run { "would be removed" } else { "removed" };
    print_line(format_args!(
        "{} {verb}, {:.1} MiB; {} kept",
        counted(count, "run"),
        as_mib(ByteSize(freed)),
        kept.len()
    ))?;
    ensure!(failures.is_empty(), "removing runs failed:\n  {}", failures.join("\n  "));
    Ok(())
}

fn print_line(line: std::fmt::Arguments<'_>) -> Result<()> {
    print::text("what was removed", |out| writeln!(out, "{line}"))
}

/// Reason for which a run must not be removed, if any. The run may be another checkout's.
fn reason_to_keep(directory: &RunDirectory, run: &RunSummary) -> Result<Option<&'static str>> {
    let reason = match run.state {
        RunState::Running => Some("running"),
        RunState::Broken(_) if directory.unchanged_for() < MAY_BE_STARTING => {
            Some("created just now, may be starting")
        }
        _ if run.needs_cleanup => {
            Some("its server was kept or not cleaned up; the next run removes it")
        }
        _ if server::has_processes(&directory.run)? => {
            Some("its server still runs; the next run from its checkout removes it")
        }
        _ => None,
    };
    Ok(reason)
}

/// Sets the link `latest` to the newest remaining run if its target was removed, or removes the
/// link if there is none. A `latest` that skyload did not make is left alone.
fn update_latest(folder: &Path, newest: Option<&RunDirectory>) -> Result<()> {
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
