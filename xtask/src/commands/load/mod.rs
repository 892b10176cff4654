//! `cargo xtask load`: the sequence of a run.
//!
//! Resolve the plan; build and install ([`prepared`]); start the infra; restart the server;
//! profile the server through baseline, setup, load, teardown and cooldown; stop the server; write
//! the report and run the gate ([`single_run`]). Processes are owned by guards that stop them on
//! drop, so that no error path leaks any.

mod active;
mod confirm;
mod credentials;
mod events;
mod infra;
mod inputs;
mod kills;
mod monitor;
mod paths;
mod phases;
mod prepare;
mod prepared;
mod remote;
mod repeat;
mod resources;
mod scenarios;
mod scraper;
mod served;
mod settle;
mod single_run;
mod sizes;
mod traced;

use anyhow::Result;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::analysis::Verdict;
use skyload::plan::LoadPlan;

use crate::commands::report;
use crate::flags;
use crate::github;
use crate::live::{self, LivePage};
pub(crate) use confirm::confirm;
pub(crate) use inputs::{Inputs, with_paths};
pub(crate) use paths::catalog_error;
pub(crate) use prepare::{machine, runs_dir};
pub(crate) use prepared::{Coordinator, Prepared};
pub(crate) use repeat::RunSet;
pub(crate) use single_run::run as run_once;
pub(crate) use traced::TracedServer;

pub(crate) fn run(flags: flags::Load) -> Result<Verdict> {
    let flags::Load { request, repeat, live, results } = flags;
    let workspace = Workspace::locate()?;
    // Before anything is started, and reported together with all other mistakes.
    let (listener, in_use) = match live.map(live::listen).transpose() {
        Ok(listener) => (listener, None),
        Err(in_use) => (None, Some(in_use)),
    };
    let inputs = Inputs::read(request, &workspace)?.with_errors(in_use);
    let plan = inputs.check()?;
    let live = listener.map(LivePage::open).transpose()?;
    if let Some(live) = &live {
        Progress::new().note(format!("Live page: {}", live.url()));
    }
    // Before `Signals::listen`, so that Ctrl-C at the prompt ends the program immediately.
    confirm(&plan, inputs.request.yes, Progress::new())?;
    let signals = Signals::listen()?;
    let set = RunSet::new(repeat);
    let progress = Progress::new().verbose(results.output.verbose);
    let live = live.as_ref();
    let coordinator = Coordinator { workspace: &workspace, signals: &signals, progress, live };
    signals.mark_interrupted(run_plan(inputs, &plan, set, &results, coordinator))
}

fn run_plan(
    inputs: Inputs,
    plan: &LoadPlan,
    mut set: RunSet,
    results: &flags::Results,
    coordinator: Coordinator<'_>,
) -> Result<Verdict> {
    let Coordinator { workspace, signals, progress, .. } = coordinator;
    let credentials = inputs.credentials.for_server(&inputs.request, plan)?;
    credentials::warn_of_login(&inputs.request, plan, progress);
    // Before the cleanup: with the lock held, any other run of this workspace is dead.
    let _lock = workspace.lock()?;
    coordinator.clean_up_after_dead_runs()?;
    let tests = coordinator.build_tests(&credentials, plan)?;
    let prepared = Prepared::new(coordinator, inputs, plan, credentials)?;
    prepared.announce();

    let out = runs_dir(results.out.as_deref(), workspace)?;
    while set.is_open() {
        set.announce(progress);
        let single = run_once(&prepared, &tests, &set, &out, results.files.out_series)?;
        // Before standard output, whose reader may close the pipe at any time.
        github::publish(&single.run, &single.report);
        report::show(&single.run, &single.report, results.output)?;
        // Last, so that a report is shown although the gate disagrees.
        single.gate?;
        set.add(&single.report);
        // One Ctrl-C ends the whole set.
        if signals.interrupted() {
            break;
        }
    }
    set.conclude(progress);
    Ok(set.verdict())
}
