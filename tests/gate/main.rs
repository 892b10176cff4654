//! The gate: one case per budget, over a finished run.
//!
//! `cargo xtask load` runs the cases of the budgets that are configured. By hand:
//! `cargo nextest run --profile gate`, for the latest run or for the one that
//! `SKYLOAD_RUN_DIR` names. A budget that isn't configured limits nothing, so its
//! case passes and says so. A test beside those of the library fails where a budget of the
//! table of metrics has no case here.

#![expect(clippy::print_stdout, reason = "what a test prints goes to nextest's log")]

use std::path::Path;

use anyhow::{Context, bail, ensure};
use rstest::rstest;
use skyload::analysis::{LimitState, Report, Severity};
use skyload::env;
use skyload::metric::{Amount, Metric};
use skyload::record::{RunDir, read};

fn finished_run() -> anyhow::Result<Report> {
    let path = env::path(env::RUN_DIR).unwrap_or_else(|| {
        let state = env::path(env::STATE_DIR)
            .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/skyload"));
        state.join("runs/latest")
    });
    let run = RunDir::open(&path)
        .context("there is no finished run to judge\n  hint: `cargo xtask load` makes one")?;
    read(&run.report()).with_context(|| {
        format!(
            "the run has no report\n  hint: `cargo xtask report {}` assembles it",
            run.path().display()
        )
    })
}

#[rstest]
#[case::server("server")]
#[case::server_worker("server-worker")]
#[case::queue("queue")]
#[case::short_executor("short-executor")]
#[case::long_executor("long-executor")]
#[case::starting_executor("starting-executor")]
#[case::jobs_controller("jobs-controller")]
#[case::serve_controller("serve-controller")]
#[case::log_follower("log-follower")]
#[case::subprocess("subprocess")]
#[case::other("other")]
#[case::tree_rss("tree-rss")]
#[case::tree_pss("tree-pss")]
#[case::growth("growth")]
#[case::threads("threads")]
#[case::zombies("zombies")]
#[case::leaked_processes("leaked-processes")]
fn budget_is_kept(#[case] metric: Metric) -> anyhow::Result<()> {
    let report = finished_run()?;
    let Some(check) = report.budgets.iter().find(|check| check.metric == metric) else {
        println!("run {} has no budget for {metric}", report.run);
        return Ok(());
    };
    let words = |amount: Option<Amount>| {
        amount.map_or_else(|| "nothing".to_owned(), |amount| amount.to_string())
    };
    let figures = format!(
        "{metric}: measured {}, budget {} ({})",
        words(check.measured),
        words(check.limit),
        check.source
    );
    println!("{figures}");
    match check.state {
        LimitState::Within | LimitState::Skipped | LimitState::NoConstant => Ok(()),
        LimitState::Over => bail!("over budget: {figures}"),
        LimitState::LimitUnknown => bail!("its limit is not known: {figures}"),
        LimitState::NotMeasured => bail!("not measured: {figures}"),
    }
}

#[rstest]
fn numbers_can_be_trusted() -> anyhow::Result<()> {
    let report = finished_run()?;
    let doubts = report.messages(Severity::Inconclusive);
    ensure!(doubts.is_empty(), "inconclusive:\n  {}", doubts.join("\n  "));
    Ok(())
}

#[rstest]
fn every_scenario_succeeded() -> anyhow::Result<()> {
    let report = finished_run()?;
    let failures = report.messages(Severity::ScenarioFailed);
    ensure!(failures.is_empty(), "scenarios failed:\n  {}", failures.join("\n  "));
    Ok(())
}
