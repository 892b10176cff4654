//! `cargo xtask compare`: verdict on two SkyPilots, from finished runs of each.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use host::print;
use host::progress::Progress;
use host::workspace::Workspace;
use skyload::analysis::{ChartData, Report};
use skyload::comparison::{Comparison, Looks, Settings};
use skyload::ids::RunId;
use skyload::plan::UsageErrors;
use skyload::record::{ComparisonDir, write_json, write_with};
use skyload::render::comparison::{render_markdown, render_text};
use skyload::render::html::{Curves, render_comparison};
use skyload::render::text;

use super::{report, runs};
use crate::config;
use crate::flags::{self, Format, Output};
use crate::github;

/// Hint for runs whose conditions differ.
const HINT: &str =
    "compare runs of one plan on one machine; --allow-differences compares these anyway";

/// Runs of one SkyPilot.
pub(crate) struct Side {
    pub(crate) reports: Vec<Report>,
    pub(crate) curves: Vec<Curves>,
}

pub(crate) fn run(flags: &flags::Compare) -> Result<u8> {
    let workspace = Workspace::locate()?;
    let config = config::read(flags.config.as_deref(), &workspace)?;
    let sides = Sides::read(&workspace, [&flags.base, &flags.with])?;
    let comparison = sides.compare(&Settings::of(&config.compare, Looks::Once));
    ensure_comparable(&comparison, flags.allow_differences, HINT)?;
    let out = flags.out.clone().unwrap_or_else(|| workspace.comparisons());
    let out = std::path::absolute(out).context("finding the output directory")?;
    let directory = ComparisonDir::create(&out.join(RunId::generate().as_str()))?;
    sides.write(&comparison, &directory)?;
    // Before standard output, whose reader may close the pipe at any time.
    github::summarize(&directory.markdown());
    show(&comparison, &directory, flags.output)?;
    Ok(comparison.verdict.exit_code())
}

/// Runs of both SkyPilots.
pub(crate) struct Sides {
    pub(crate) reports: [Vec<Report>; 2],
    curves: [Vec<Curves>; 2],
}

impl Sides {
    /// Runs of base and candidate, by their names, or all usage errors of both.
    pub(crate) fn read(workspace: &Workspace, names: [&[PathBuf]; 2]) -> Result<Self, UsageErrors> {
        let [base, candidate] = names.map(|names| Side::read(workspace, names));
        let mut mistakes = Vec::new();
        let sides = [base, candidate]
            .map(|side| side.map_err(|UsageErrors(of_side)| mistakes.extend(of_side)).ok());
        if let [Some(base), Some(candidate)] = sides {
            mistakes.extend(named_twice(base.reports.iter().chain(&candidate.reports)));
            if mistakes.is_empty() {
                return Ok(Self {
                    reports: [base.reports, candidate.reports],
                    curves: [base.curves, candidate.curves],
                });
            }
        }
        Err(UsageErrors(mistakes))
    }

    /// Comparison of the runs.
    pub(crate) fn compare(&self, settings: &Settings) -> Comparison {
        let [base, candidate] = &self.reports;
        Comparison::assemble(base, candidate, settings)
    }

    /// Writes all formats of the runs' comparison to its directory.
    pub(crate) fn write(&self, comparison: &Comparison, directory: &ComparisonDir) -> Result<()> {
        write(comparison, &self.curves, directory)
    }
}

/// Writes all formats of a comparison to its directory.
pub(crate) fn write(
    comparison: &Comparison,
    curves: &[Vec<Curves>; 2],
    directory: &ComparisonDir,
) -> Result<()> {
    write_json(&directory.json(), comparison)?;
    write_with(&directory.markdown(), |out| render_markdown(comparison, out))?;
    write_with(&directory.html(), |out| render_comparison(comparison, curves, out))?;
    runs::warn_if_not_latest(directory.link_latest()?, directory.path(), Progress::new());
    Ok(())
}

impl Side {
    /// Runs by their names, or all usage errors.
    pub(crate) fn read(workspace: &Workspace, names: &[PathBuf]) -> Result<Self, UsageErrors> {
        let runs = report::of_runs(workspace, names, |report, evidence| {
            let curves = Curves::of(&report, ChartData::assemble(&report, evidence));
            (report, curves)
        })?;
        let (reports, curves): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
        Ok(Self { reports, curves: curves.into_iter().flatten().collect() })
    }
}

/// Message for each run that is named more than once.
pub(crate) fn named_twice<'a>(reports: impl IntoIterator<Item = &'a Report>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = reports.into_iter().map(|report| &report.run);
    let twice: BTreeSet<&RunId> = all.filter(|run| !seen.insert(*run)).collect();
    twice
        .into_iter()
        .map(|run| format!("run {run} is named twice: a run is no noise of its own"))
        .collect()
}

/// Message for each side with runs of several SkyPilots.
pub(crate) fn mixed_sides(comparison: &Comparison) -> Vec<String> {
    let sides = [("base", &comparison.base), ("candidate", &comparison.candidate)];
    let mixed = sides.into_iter().filter(|(_, side)| side.sky.len() > 1);
    mixed
        .map(|(name, side)| format!("expected one SkyPilot in the {name}, got {}", side.name()))
        .collect()
}

/// Fails with every reason for which a change would not be SkyPilot's.
pub(crate) fn ensure_comparable(
    comparison: &Comparison,
    allows_differences: bool,
    hint: &str,
) -> Result<(), UsageErrors> {
    let mut mistakes = mixed_sides(comparison);
    if !allows_differences {
        let differences = comparison.disturbances();
        let mut differ: Vec<String> =
            differences.map(|difference| format!("runs differ in {difference}")).collect();
        if let Some(last) = differ.last_mut() {
            last.push_str("\n  hint: ");
            last.push_str(hint);
        }
        mistakes.extend(differ);
    }
    if mistakes.is_empty() { Ok(()) } else { Err(UsageErrors(mistakes)) }
}

/// Writes a comparison to standard output.
pub(crate) fn show(
    comparison: &Comparison,
    directory: &ComparisonDir,
    output: Output,
) -> Result<()> {
    const WHAT: &str = "the comparison";
    let page = directory.html();
    let paths = text::Paths { results: directory.path(), page: &page };
    match output.format {
        Format::Json => print::json(WHAT, comparison),
        Format::Text => {
            print::text(WHAT, |out| render_text(comparison, output.detail(), Some(paths), out))
        }
    }
}
