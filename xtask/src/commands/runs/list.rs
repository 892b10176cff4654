//! List of runs as a table, one run per line.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use host::print;
use skyload::plan::LoadPlan;
use skyload::record::Readable;
use skyload::render::table::Table;
use skyload::shell;
use skyload::units::{ByteSize, as_mib};

use super::{RunState, RunSummary};
use crate::flags::Format;

pub(super) fn show(runs: &[RunSummary], folder: &Path, format: Format) -> Result<()> {
    const WHAT: &str = "the list of runs";
    match format {
        Format::Json => print::json(WHAT, &runs),
        Format::Text => print::text(WHAT, |out| text(runs, folder, out)),
    }
}

fn text(runs: &[RunSummary], folder: &Path, out: &mut impl Write) -> std::io::Result<()> {
    if runs.is_empty() {
        writeln!(out, "No runs in {}", folder.display())?;
        return writeln!(out, "  hint: start one with `cargo xtask load`");
    }
    const TEXT_COLUMNS: usize = 6;
    let headings = [
        "started (UTC)",
        "run",
        "SkyPilot",
        "plan",
        "server",
        "verdict",
        "short peak",
        "long peak",
        "server peak",
        "disk",
    ];
    let mut table = Table::new(&headings, TEXT_COLUMNS);
    for run in runs {
        let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
        table.row([
            run.began.clone(),
            run.run.clone(),
            or_dash(run.skypilot.as_deref()),
            or_dash(run.plan.as_deref()),
            or_dash(run.server),
            verdict(run),
            mib(run.peaks.short),
            mib(run.peaks.long),
            mib(run.peaks.server),
            mib(Some(ByteSize(run.bytes))),
        ]);
    }
    table.text("", out)?;
    writeln!(
        out,
        "\nPeaks (largest process of the class) and disk (files of the run) are in MiB."
    )?;
    for run in runs {
        if let Some(remark) = remark(run) {
            writeln!(out, "{}: {remark}", run.run)?;
        }
    }
    // Once for all runs: after a change of the format, many have another version.
    if runs.iter().any(|run| matches!(run.state, RunState::OtherVersion(_))) {
        let readable = Readable::of::<LoadPlan>();
        writeln!(out, "This build reads runs whose plan.json has {readable}.")?;
    }
    Ok(())
}

fn verdict(run: &RunSummary) -> String {
    match (&run.state, run.verdict) {
        (RunState::Running, _) => "(running)".to_owned(),
        (RunState::Unfinished, _) => "(unfinished)".to_owned(),
        (RunState::OtherVersion(version), _) => format!("(version {version})"),
        (RunState::Broken(_), _) => "(broken)".to_owned(),
        (RunState::Finished, None) => "-".to_owned(),
        (RunState::Finished, Some(verdict)) => verdict.name().to_owned(),
    }
}

/// Remark on a run without a verdict or with a need for cleanup, with what to do.
fn remark(run: &RunSummary) -> Option<String> {
    match &run.state {
        RunState::Unfinished => Some(format!(
            "ended early; `cargo xtask report {}` shows what was measured",
            shell::word(&run.name)
        )),
        RunState::Broken(why) => Some(why.clone()),
        RunState::Finished if run.needs_cleanup => {
            Some("its server was kept or not cleaned up; the next run removes it".to_owned())
        }
        RunState::Finished | RunState::Running | RunState::OtherVersion(_) => None,
    }
}

fn mib(size: Option<ByteSize>) -> String {
    size.map_or_else(|| "-".to_owned(), |size| format!("{:.1}", as_mib(size)))
}
