//! `cargo xtask report`: a finished run or a profile again, from nothing but its
//! directory.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use host::print;
use host::workspace::Workspace;
use skyload::analysis::{ChartData, Evidence, ProfileEvidence, ProfileReport, Report};
use skyload::plan::{LoadPlan, UsageErrors};
use skyload::record::{ProfileDir, RunDir, read, write_json, write_with};
use skyload::render::{html, junit, markdown, text};

use super::runs::find::{self, Found};
use crate::flags::{self, Format, Output};
use crate::github;
use crate::server_profile;

/// Returns the exit code: a run's verdict, or success for a profile, which has none.
pub(crate) fn run(flags: &flags::Report) -> Result<u8> {
    let workspace = Workspace::locate()?;
    let run = match (find::run_or_profile(&workspace, &flags.run)?, &flags.server_profile) {
        (Found::Run(run), None) => run,
        (Found::Run(run), Some(server_profile)) => {
            take_in(server_profile, &run)?;
            run
        }
        (Found::Profile(profile), None) => {
            show_profile(&profile, &assemble_profile(&profile)?, flags.output.format)?;
            return Ok(0);
        }
        (Found::Profile(profile), Some(_)) => bail!(UsageErrors(vec![format!(
            "--server-profile: {} is a profile itself; name the run that it is to be taken into",
            profile.id()
        )])),
    };
    let report = assemble(&run, &workspace)?;
    // Whoever reads standard output may stop at any time.
    github::tell(&run, &report);
    show(&run, &report, flags.output)?;
    Ok(report.verdict.exit_code())
}

/// Takes the profile of a server elsewhere into a run that has loaded it.
fn take_in(server_profile: &Path, run: &RunDir) -> Result<()> {
    let plan: LoadPlan = read(&run.plan()).context("reading the run")?;
    let mut mistakes = Vec::from_iter(server_profile::mistake(server_profile));
    if !plan.is_remote() {
        mistakes.push(format!(
            "--server-profile: run {} has a profile of its own, since its server was on this machine",
            run.id()
        ));
    }
    ensure!(mistakes.is_empty(), UsageErrors(mistakes));
    server_profile::take(server_profile, run)
}

/// Assembles the report of a run and keeps it there, in each of its forms.
pub(crate) fn assemble(run: &RunDir, workspace: &Workspace) -> Result<Report> {
    let evidence = evidence(run, workspace)?;
    let report = Report::assemble(&evidence);
    write_json(&run.report(), &report)?;
    write_with(&run.report_markdown(), |out| markdown::render(&report, out))?;
    write_with(&run.junit(), |out| junit::render(&report, out))?;
    let data = ChartData::assemble(&report, &evidence);
    write_with(&run.report_html(), |out| html::render(&report, &data, out))?;
    Ok(report)
}

/// All that a run left, and how commands are told which run.
pub(crate) fn evidence(run: &RunDir, workspace: &Workspace) -> Result<Evidence> {
    let evidence = Evidence::read(run).context("reading the run")?;
    Ok(Evidence { name: workspace.name_of(run), ..evidence })
}

/// Assembles what a profile amounts to.
pub(crate) fn assemble_profile(profile: &ProfileDir) -> Result<ProfileReport> {
    let evidence = ProfileEvidence::read(profile).context("reading the profile")?;
    Ok(ProfileReport::assemble(&evidence))
}

/// Writes a report to standard output.
pub(crate) fn show(run: &RunDir, report: &Report, output: Output) -> Result<()> {
    let page = run.report_html();
    let paths = text::Paths { results: run.path(), page: &page };
    match output.format {
        Format::Json => print::json("the report", report),
        Format::Text => {
            print::text("the report", |out| text::render(report, output.detail(), Some(paths), out))
        }
    }
}

/// The same for a profile.
pub(crate) fn show_profile(
    profile: &ProfileDir,
    report: &ProfileReport,
    format: Format,
) -> Result<()> {
    match format {
        Format::Json => print::json("the report", report),
        Format::Text => print::text("the report", |out| {
            text::render_profile(report, out)?;
            writeln!(out, "Profile directory: {}", profile.path().display())
        }),
    }
}
