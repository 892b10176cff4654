//! Runs of a check: the load of the reference, on an isolated server of this machine.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use host::progress::Progress;
use host::signals::Interrupted;
use host::workspace::Workspace;
use skyload::comparison::{Reference, unusable};
use skyload::credentials::Credentials;
use skyload::plan::{LoadPlan, ServerTarget, UsageErrors};
use skyload::record::request::LoadRequest;
use skyload::shell;
use skyload::units::counted;

use crate::commands::load::{Coordinator, Inputs, Prepared, RunSet, confirm, run_once, runs_dir};

/// Number of runs that are made beyond those that are asked for, in the place of unusable ones.
const EXTRA_RUNS: u32 = 2;

/// Runs to make.
pub(super) struct Order<'a> {
    inputs: Inputs,
    plan: LoadPlan,
    reference: &'a Reference,
    runs: u32,
}

impl<'a> Order<'a> {
    /// Order of runs with the load of a reference, confirmed where it needs to be; or all usage
    /// errors.
    pub(super) fn new(
        request: LoadRequest,
        reference: &'a Reference,
        runs: u32,
        workspace: &Workspace,
    ) -> Result<Self> {
        let inputs = Inputs::read(request, workspace)?;
        let plan = inputs.check()?;
        ensure!(
            matches!(plan.server, ServerTarget::Isolated { .. }),
            UsageErrors(vec![
                "expected a reference of an isolated server, of which a check makes runs\n  hint: \
                 make the runs with `cargo xtask load --repeat 3`, and name them: `cargo xtask \
                 reference check RUN...`"
                    .to_owned()
            ])
        );
        // Before `Signals::listen`, so that Ctrl-C at the prompt ends the program immediately.
        confirm(&plan, inputs.request.yes, Progress::new())?;
        Ok(Self { inputs, plan, reference, runs })
    }
}

/// Makes the runs, and returns the directories of all, unusable ones among them. For those, others
/// are made, two at the most. `flags` are those of a check of the same runs.
pub(super) fn run(
    order: Order<'_>,
    flags: &str,
    coordinator: Coordinator<'_>,
) -> Result<Vec<PathBuf>> {
    let Order { inputs, plan, reference, runs } = order;
    let Coordinator { workspace, signals, progress, .. } = coordinator;
    let credentials = Credentials::for_server(&plan.server)?;
    // Before the cleanup: with the lock held, any other run of this workspace is dead.
    let _lock = workspace.lock()?;
    coordinator.clean_up_after_dead_runs()?;
    let tests = coordinator.build_tests(&credentials, &plan)?;
    let mut prepared = Prepared::new(coordinator, inputs, &plan, credentials)?;
    prepared.plan = reference.plan(&prepared.plan, &prepared.request)?;
    prepared.announce();
    let out = runs_dir(None, workspace)?;
    let mut made = Vec::new();
    let mut usable = 0;
    for number in 1..=runs + EXTRA_RUNS {
        progress.note(format!("Run {number}: {usable} of {runs} usable runs so far"));
        let single = run_once(&prepared, &tests, &RunSet::new(1), &out, None);
        // Also of a run that has ended with a result, which lacks what the signal has cut off.
        if signals.interrupted() {
            return Err(anyhow::Error::from(Interrupted).context(interrupted(&made, flags)));
        }
        let single = single?;
        single.gate?;
        let report = &single.report;
        progress.note(match unusable(report) {
            None => format!("Run {}: {}", report.run, report.verdict.name()),
            Some(reason) => format!("Run {} is not compared: {reason}", report.run),
        });
        usable += u32::from(unusable(report).is_none());
        made.push(single.run.path().to_owned());
        if usable == runs {
            break;
        }
    }
    Ok(made)
}

/// Message of a check that was interrupted, with the runs that had ended.
fn interrupted(made: &[PathBuf], flags: &str) -> String {
    let runs = counted(made.len(), "run");
    if made.is_empty() {
        return format!("interrupted after {runs}");
    }
    let names = made.iter().filter_map(|run| run.file_name());
    let names = names.map(|name| shell::word(&name.to_string_lossy()).into_owned());
    format!(
        "interrupted after {runs}\n  hint: with more runs of `cargo xtask load`: `cargo xtask \
         reference check {} RUN...{flags}`",
        names.collect::<Vec<_>>().join(" ")
    )
}
