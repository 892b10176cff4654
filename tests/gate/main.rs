//! Gate: budgets of a finished run, one test case each. Thresholds are in `tests/thresholds`.
//!
//! `cargo xtask load` runs the cases of the configured budgets. By hand:
//! `cargo nextest run --profile gate`, for the latest run or for the one that
//! `SKYLOAD_RUN_DIR` names. The case of a budget that is not configured passes, and reports
//! this. `tests/hermetic/metrics.rs` fails if a budget in the table of metrics has no case
//! here.

#![expect(clippy::print_stdout, reason = "what a test prints goes to nextest's log")]

use anyhow::{bail, ensure};
use finished_run::finished_run;
use rstest::rstest;
use skyload::analysis::{LimitState, Severity};
use skyload::metric::{Amount, Metric};

#[path = "../support/finished_run.rs"]
mod finished_run;

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
#[case::server_growth_rate("server growth-rate")]
#[case::server_worker_growth_rate("server-worker growth-rate")]
#[case::queue_growth_rate("queue growth-rate")]
#[case::short_executor_growth_rate("short-executor growth-rate")]
#[case::long_executor_growth_rate("long-executor growth-rate")]
#[case::starting_executor_growth_rate("starting-executor growth-rate")]
#[case::jobs_controller_growth_rate("jobs-controller growth-rate")]
#[case::serve_controller_growth_rate("serve-controller growth-rate")]
#[case::log_follower_growth_rate("log-follower growth-rate")]
#[case::subprocess_growth_rate("subprocess growth-rate")]
#[case::other_growth_rate("other growth-rate")]
#[case::tree_rss("tree-rss")]
#[case::tree_pss("tree-pss")]
#[case::growth("growth")]
#[case::growth_rate("growth-rate")]
#[case::threads("threads")]
#[case::zombies("zombies")]
#[case::leaked_processes("leaked-processes")]
fn within_budget(#[case] metric: Metric) -> anyhow::Result<()> {
    let report = finished_run()?;
    let Some(check) = report.budgets.iter().find(|check| check.metric == metric) else {
        println!("run {} has no budget for {metric}", report.run);
        return Ok(());
    };
    let text = |amount: Option<Amount>| {
        amount.map_or_else(|| "nothing".to_owned(), |amount| amount.to_string())
    };
    let figures = format!(
        "{metric}: measured {}, budget {} ({})",
        text(check.measured),
        text(check.limit),
        check.source
    );
    println!("{figures}");
    match check.state {
        LimitState::Within | LimitState::Skipped | LimitState::NoConstant => Ok(()),
        LimitState::Over => bail!("over budget: {figures}"),
        LimitState::LimitUnknown => bail!("unknown limit: {figures}"),
        LimitState::NotMeasured => bail!("not measured: {figures}"),
        LimitState::Undecided => bail!("undecided: {figures}"),
    }
}

#[rstest]
fn measurements_are_valid() -> anyhow::Result<()> {
    let report = finished_run()?;
    let findings = report.messages(Severity::Inconclusive);
    ensure!(findings.is_empty(), "inconclusive:\n  {}", findings.join("\n  "));
    Ok(())
}

#[rstest]
fn fits_into_the_server_size() -> anyhow::Result<()> {
    let report = finished_run()?;
    let Some(server_size) = &report.server_size else {
        println!("run {} has a server of its machine's size", report.run);
        return Ok(());
    };
    let (kills, size) = (server_size.kills, server_size.size);
    ensure!(kills == 0, "the kernel killed {kills} process(es) at the server's size of {size}");
    Ok(())
}

#[rstest]
fn every_scenario_succeeded() -> anyhow::Result<()> {
    let report = finished_run()?;
    let failures = report.messages(Severity::ScenarioFailed);
    ensure!(failures.is_empty(), "scenarios failed:\n  {}", failures.join("\n  "));
    Ok(())
}
