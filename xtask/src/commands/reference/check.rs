//! `cargo xtask reference check`: verdict on a SkyPilot by its runs and those of a reference.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::comparison::{Comparison, Looks, Part, Reference, Settings};
use skyload::ids::RunId;
use skyload::plan::UsageErrors;
use skyload::record::ComparisonDir;
use skyload::record::request::LoadRequest;
use skyload::shell;

use super::file::ReferenceFile;
use super::make_runs::{self, Order};
use crate::commands::compare::{self, Side};
use crate::commands::load::Coordinator;
use crate::config;
use crate::flags;
use crate::github;

/// Number of runs that a check makes, unless a flag says otherwise.
const RUNS: u32 = 3;

pub(super) fn run(flags: flags::ReferenceCheck, workspace: &Workspace) -> Result<u8> {
    let flags::ReferenceCheck { runs, file, sky, dependencies_as_of, repeat, yes, config, output } =
        flags;
    let flags = [
        ReferenceFile::flag(&file),
        config.as_ref().map_or_else(String::new, |path| {
            format!(" --config {}", shell::word(&path.to_string_lossy()))
        }),
    ];
    let file = ReferenceFile::locate(&file, workspace)?;
    let reference = file.read()?;
    let request = file.request(&reference)?;
    let request = LoadRequest {
        sky: sky.or(request.sky),
        dependencies_as_of: dependencies_as_of.or(request.dependencies_as_of),
        config: config.or(request.config),
        yes,
        ..request
    };
    let settings = config::read(request.config.as_deref(), workspace)?;
    let settings = Settings::of(&settings.compare, Looks::Once);
    let runs = match runs.is_empty() {
        false => runs,
        true => {
            let order = Order::new(request, &reference, repeat.unwrap_or(RUNS), workspace)?;
            let signals = Signals::listen()?;
            let progress = Progress::new().verbose(output.verbose);
            let coordinator = Coordinator { workspace, signals: &signals, progress, live: None };
            signals.mark_interrupted(make_runs::run(order, &flags.concat(), coordinator))?
        }
    };
    let (comparison, directory) = compare_with(&reference, &runs, &settings, workspace)?;
    // Before standard output, whose reader may close the pipe at any time.
    github::summarize(&directory.markdown());
    if comparison.has_nothing_to_compare() {
        let names = runs.iter().map(|run| shell::word(&run.to_string_lossy()).into_owned());
        Progress::new().note(format!(
            "To make a reference of these runs: cargo xtask reference set {}{}",
            names.collect::<Vec<_>>().join(" "),
            flags[0]
        ));
    }
    compare::show(&comparison, &directory, output)?;
    Ok(comparison.verdict.exit_code())
}

/// Compares runs with the reference, and writes the result.
fn compare_with(
    reference: &Reference,
    runs: &[PathBuf],
    settings: &Settings,
    workspace: &Workspace,
) -> Result<(Comparison, ComparisonDir)> {
    let Side { reports, curves } = Side::read(workspace, runs)?;
    let comparison = Comparison::with_reference(reference, &reports, settings);
    let mut mistakes = compare::named_twice(&reports);
    mistakes.extend(compare::mixed_sides(&comparison));
    let of_load = comparison.disturbances().filter(|difference| difference.part == Part::Load);
    mistakes.extend(
        of_load
            .map(|difference| format!("the load differs in {}", comparison.in_words(difference))),
    );
    ensure!(mistakes.is_empty(), UsageErrors(mistakes));
    let directory = workspace.comparisons().join(RunId::generate().as_str());
    let directory = ComparisonDir::create(&directory)?;
    compare::write(&comparison, &[Vec::new(), curves], &directory)?;
    Ok((comparison, directory))
}
