//! The runs, one a line.

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
        writeln!(out, "There are no runs in {}", folder.display())?;
        return writeln!(out, "  hint: `cargo xtask load` makes one");
    }
    const WORDS: usize = 6;
    let headings = [
        "began (UTC)",
        "run",
        "SkyPilot",
        "plan",
        "server",
        "verdict",
        "short",
        "long",
        "server",
        "disk",
    ];
    let mut table = Table::new(&headings, WORDS);
    for run in runs {
        let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
        table.row([
            run.began.clone(),
            run.run.clone(),
            or_none(run.skypilot.as_deref()),
            or_none(run.plan.as_deref()),
            or_none(run.server),
            verdict(run),
            mib(run.peaks.short),
            mib(run.peaks.long),
            mib(run.peaks.server),
            mib(Some(ByteSize(run.bytes))),
        ]);
    }
    table.text("", out)?;
    writeln!(out, "\nPeaks of the largest process of each class, and the run's files, in MiB.")?;
    for run in runs {
        if let Some(words) = remark(run) {
            writeln!(out, "{}: {words}", run.run)?;
        }
    }
    // Said once: after a change of the format, there are many.
    if runs.iter().any(|run| matches!(run.state, RunState::OtherVersion(_))) {
        let readable = Readable::of::<LoadPlan>();
        writeln!(out, "This build reads runs whose plan.json has {readable}.")?;
    }
    Ok(())
}

fn verdict(run: &RunSummary) -> String {
    match (&run.state, run.verdict) {
        (RunState::UnderWay, _) => "(under way)".to_owned(),
        (RunState::Unfinished, _) => "(unfinished)".to_owned(),
        (RunState::OtherVersion(version), _) => format!("(version {version})"),
        (RunState::Broken(_), _) => "(broken)".to_owned(),
        (RunState::Finished, None) => "-".to_owned(),
        (RunState::Finished, Some(verdict)) => verdict.name().to_owned(),
    }
}

/// What is to be said of a run that has no verdict, and what can be done.
fn remark(run: &RunSummary) -> Option<String> {
    match &run.state {
        RunState::Unfinished => Some(format!(
            "it broke off; `cargo xtask report {}` shows what it left",
            shell::word(&run.name)
        )),
        RunState::Broken(why) => Some(why.clone()),
        RunState::Finished if run.in_custody => {
            Some("its server was kept, or is still to be cleared away by the next run".to_owned())
        }
        RunState::Finished | RunState::UnderWay | RunState::OtherVersion(_) => None,
    }
}

fn mib(size: Option<ByteSize>) -> String {
    size.map_or_else(|| "-".to_owned(), |size| format!("{:.1}", as_mib(size)))
}
