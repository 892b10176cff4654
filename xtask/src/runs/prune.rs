//! `cargo xtask runs prune`: old runs are removed, others are not touched.

use std::fs;
use std::io::{Write, stdout};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use skyload::units::{ByteSize, as_mib};

use super::{RunDirectory, RunState, RunSummary};
use crate::flags::Prune;
use crate::workspace::Workspace;

pub(super) fn run(flags: &Prune, workspace: &Workspace, folder: &Path) -> Result<()> {
    // Held, no run begins meanwhile; if another holds it, one is under way.
    let lock = workspace.try_lock()?;
    let directories = RunDirectory::all_in(folder)?;
    let old = directories.iter().skip(flags.keep);
    let due = old.filter(|run| flags.older_than.is_none_or(|limit| run.age() > limit));
    let mut out = stdout().lock();
    let (mut count, mut freed, mut failures) = (0, 0, Vec::new());
    for directory in due {
        let summary = RunSummary::read(directory, workspace);
        if let Some(reason) = why_not(&summary, lock.is_some()) {
            say(&mut out, format_args!("Kept {}: {reason}", summary.run))?;
            continue;
        }
        let size = as_mib(ByteSize(summary.bytes));
        let verb = if flags.dry_run { "Would remove" } else { "Removed" };
        if !flags.dry_run
            && let Err(error) = fs::remove_dir_all(&summary.path)
        {
            failures.push(format!("`{}`: {error}", summary.path.display()));
            continue;
        }
        say(&mut out, format_args!("{verb} {} ({size:.1} MiB)", summary.run))?;
        (count, freed) = (count + 1, freed + summary.bytes);
    }
    if !flags.dry_run {
        renew_latest(folder)?;
    }
    let kept = directories.len() - count;
    let verb = if flags.dry_run { "would be removed" } else { "removed" };
    say(
        &mut out,
        format_args!("{count} run(s) {verb}, {:.1} MiB; {kept} kept", as_mib(ByteSize(freed))),
    )?;
    ensure!(failures.is_empty(), "removing runs failed:\n  {}", failures.join("\n  "));
    Ok(())
}

fn say(out: &mut impl Write, line: std::fmt::Arguments<'_>) -> Result<()> {
    writeln!(out, "{line}").context("saying what was removed")
}

/// Why a run must stay, if it must.
fn why_not(run: &RunSummary, none_under_way: bool) -> Option<&'static str> {
    match run.state {
        RunState::UnderWay => Some("it is under way"),
        // Its plan is written a moment after its directory is made.
        RunState::Broken(_) if !none_under_way => {
            Some("a run is under way, and it may be this one")
        }
        _ if run.in_custody => {
            Some("its server was kept or has yet to be cleared away, which the next run does")
        }
        _ => None,
    }
}

/// Has `latest` lead to the newest run that is still there, or nowhere.
fn renew_latest(folder: &Path) -> Result<()> {
    let link = folder.join("latest");
    let dangles = link.is_symlink() && !link.exists();
    match RunDirectory::all_in(folder)?.first() {
        _ if !dangles => Ok(()),
        Some(newest) => newest.run.link_latest().map_err(Into::into),
        None => fs::remove_file(&link)
            .with_context(|| format!("removing the link `{}`", link.display())),
    }
}
