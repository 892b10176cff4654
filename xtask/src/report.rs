//! `cargo xtask report`: a finished run again, from nothing but its directory.

use std::io::{Write, stdout};

use anyhow::{Context, Result};
use skyload::report::{Evidence, Report, Verdict, text};
use skyload::run_dir::RunDir;

use crate::flags::{self, Format};
use crate::workspace::Workspace;

pub(crate) fn run(flags: &flags::Report) -> Result<Verdict> {
    let workspace = Workspace::locate()?;
    let path = workspace.find_run(&flags.run);
    let run = RunDir::open(&path)
        .context("there is no such run\n  hint: `cargo xtask load` makes one")?;
    let report = assemble(&run)?;
    show(&run, &report, flags.format)?;
    Ok(report.judgement.verdict)
}

/// Assembles the report of a run and keeps it there.
pub(crate) fn assemble(run: &RunDir) -> Result<Report> {
    let evidence = Evidence::read(run).context("reading the run")?;
    let report = Report::assemble(&evidence);
    RunDir::write(&run.report(), &report)?;
    Ok(report)
}

/// Writes a report to standard output.
pub(crate) fn show(run: &RunDir, report: &Report, format: Format) -> Result<()> {
    let mut out = stdout().lock();
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, report).map_err(std::io::Error::from)?;
            writeln!(out)
        }
        Format::Text => text::render(report, &mut out)
            .and_then(|()| writeln!(out, "Run directory: {}", run.path().display())),
    }
    .context("writing the report")
}
