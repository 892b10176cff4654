//! `cargo xtask report`: report of a finished run or of a profile, from its directory alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use host::print;
use host::workspace::Workspace;
use skyload::analysis::{ChartData, Evidence, ProfileEvidence, ProfileReport, Report, RunSeries};
use skyload::plan::{LoadPlan, UsageErrors};
use skyload::record::{ProfileDir, RunDir, read, write_json, write_with};
use skyload::render::series::{self, SeriesFormat};
use skyload::render::{html, junit, markdown, text};

use super::runs::find::{self, Found};
use crate::flags::{self, Files, Format, Output};
use crate::github;
use crate::server_profile;

/// Exit code: that of a run's verdict, or success for a profile, which has no verdict.
pub(crate) fn run(flags: &flags::Report) -> Result<u8> {
    let workspace = Workspace::locate()?;
    let run = match (find::run_or_profile(&workspace, &flags.run)?, &flags.server_profile) {
        (Found::Run(run), None) => run,
        (Found::Run(run), Some(server_profile)) => {
            merge_profile(server_profile, &run)?;
            run
        }
        (Found::Profile(profile), None) => {
            let mistakes = Vec::from_iter(series_mistake(&profile, flags.files));
            ensure!(mistakes.is_empty(), UsageErrors(mistakes));
            show_profile(&profile, &assemble_profile(&profile)?, flags.output.format)?;
            return Ok(0);
        }
        (Found::Profile(profile), Some(_)) => {
            let mut mistakes = vec![format!(
                "--server-profile: expected a run to merge a profile into, got the profile {}",
                profile.id()
            )];
            mistakes.extend(series_mistake(&profile, flags.files));
            bail!(UsageErrors(mistakes))
        }
    };
    let report = assemble(&run, &workspace, flags.files.out_series)?;
    // Before standard output, whose reader may close it at any time.
    github::publish(&run, &report);
    show(&run, &report, flags.output)?;
    Ok(report.verdict.exit_code())
}

/// Mistake of asking for the series of a profile, which has no scenarios and no load.
fn series_mistake(profile: &ProfileDir, files: Files) -> Option<String> {
    let text = format!("--out-series: expected a run, got the profile {}", profile.id());
    files.out_series.map(|_| text)
}

/// Merges the profile of a remote server into a run on that server.
fn merge_profile(server_profile: &Path, run: &RunDir) -> Result<()> {
    let plan: LoadPlan = read(&run.plan()).context("reading the run")?;
    let mut mistakes = Vec::from_iter(server_profile::usage_error(server_profile));
    if !plan.is_remote() {
        mistakes.push(format!(
            "--server-profile: run {} already has a profile, since its server ran on this machine",
            run.id()
        ));
    }
    ensure!(mistakes.is_empty(), UsageErrors(mistakes));
    server_profile::merge(server_profile, run)
}

/// Assembles the report of a run and writes all its formats to the run's directory, and the series
/// in a format that was asked for.
pub(crate) fn assemble(
    run: &RunDir,
    workspace: &Workspace,
    series: Option<SeriesFormat>,
) -> Result<Report> {
    let evidence = evidence(run, workspace)?;
    let report = Report::assemble(&evidence);
    write_json(&run.report(), &report)?;
    write_with(&run.report_markdown(), |out| markdown::render(&report, out))?;
    write_with(&run.junit(), |out| junit::render(&report, out))?;
    let data = ChartData::assemble(&report, &evidence);
    write_with(&run.report_html(), |out| html::render(&report, &data, out))?;
    if let Some(format) = series {
        let (series, path) = (RunSeries::of(&evidence), run.series(format.extension()));
        write_with(&path, |out| series::render(series.points(), format, out))?;
    }
    Ok(report)
}

/// Evidence that a run left, with the name by which commands find the run.
pub(crate) fn evidence(run: &RunDir, workspace: &Workspace) -> Result<Evidence> {
    let evidence = Evidence::read(run).context("reading the run")?;
    Ok(Evidence { name: workspace.name_of(run), ..evidence })
}

/// Result of `take` for the report and the evidence of each run, or a usage error for each run
/// that cannot be read. Reports are assembled again, and not written to the runs' directories,
/// which may belong to another user.
pub(crate) fn of_runs<T>(
    workspace: &Workspace,
    names: &[PathBuf],
    take: impl Fn(Report, &Evidence) -> T,
) -> Result<Vec<T>, UsageErrors> {
    let (mut taken, mut mistakes) = (Vec::new(), Vec::new());
    for name in names {
        match find::run(workspace, name).and_then(|run| evidence(&run, workspace)) {
            Ok(evidence) => taken.push(take(Report::assemble(&evidence), &evidence)),
            Err(error) => mistakes.push(format!("{error:#}")),
        }
    }
    if mistakes.is_empty() { Ok(taken) } else { Err(UsageErrors(mistakes)) }
}

/// Assembles the report of a profile.
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

/// Writes the report of a profile to standard output.
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
