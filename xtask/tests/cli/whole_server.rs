//! Budgets on server totals: growth, threads, zombies and leaked processes.

use predicates::prelude::predicate;
use rstest::rstest;
use skyload::analysis::{LimitState, Report, Severity, Verdict};
use skyload::metric::{Amount, Metric, ServerMetric};

use crate::support::{Site, assert_finding};

/// Measured amount and state of a budget.
fn check(report: &Report, metric: Metric) -> (Option<Amount>, LimitState) {
    let mut checks = report.budgets.iter();
    let check = checks.find(|check| check.metric == metric).expect("the budget was given");
    (check.measured, check.state)
}

#[rstest]
#[case::growth("growth=200MiB", "growth", ("LEAKED_MIB", 300))]
#[case::threads("threads=60", "threads", ("LEAKED_THREADS", 100))]
#[case::zombies("zombies=0", "zombies", ("ZOMBIES", 3))]
#[case::leaked_processes("leaked-processes=0", "leaked-processes", ("STOP_SPARES", 2))]
fn a_server_that_exceeds_a_total_is_over_budget(
    #[case] budget: &str,
    #[case] metric: Metric,
    #[case] (setting, value): (&str, u32),
) -> anyhow::Result<()> {
    let site = Site::new()?;
    // Without daemons no executor still starts during the baseline, which would hide growth.
    let load = || site.load(["--api", "status", "--budget", budget]).fake("DAEMONS", 0);
    let modest = load().run()?;
    let report = modest.expect(&site, Verdict::Pass)?;
    let (measured, state) = check(&report, metric);
    assert_eq!(state, LimitState::Within, "{measured:?}");
    let name = metric.to_string().replace('-', "_");
    let case = |word| predicate::str::is_match(format!(r"gate: {word} .*::case_\d+_{name}"));
    modest.assert().stderr(case("PASS")?);

    let greedy = load().fake(setting, value).run()?;
    let report = greedy.expect(&site, Verdict::OverBudget)?;
    let (more, state) = check(&report, metric);
    assert_eq!(state, LimitState::Over, "{more:?}");
    assert!(more > measured, "{more:?} is not more than {measured:?}");
    assert_finding(&report, Severity::OverBudget, &format!("{metric}: "));
    let heading = metric.row().heading;
    let row = format!(r"\n  {heading}\b.*-\d+%  OVER\n|\n  {heading}\b.* 0 +-  OVER\n");
    greedy.assert().stderr(case("FAIL")?).stdout(predicate::str::is_match(row)?);
    Ok(())
}

#[test]
fn growth_is_shown_by_class() -> anyhow::Result<()> {
    let site = Site::new()?;
    let run = site.load(["--api", "status"]).fake("LEAKED_MIB", 100).run()?;
    run.expect(&site, Verdict::Pass)?;
    run.assert()
        .stdout(predicate::str::is_match(r"\n  cooldown +\d+ +\d+ +\d+ +\d+\.\d +\d+\.\d\n")?)
        .stdout(predicate::str::is_match(r"\n  short-executor +\d -> \d .* -> \d{3}\.\d")?);
    Ok(())
}

#[test]
fn budgets_in_the_configuration_are_sizes_and_counts() -> anyhow::Result<()> {
    let site = Site::new()?;
    let config = site.path("skyload.toml");
    let text = std::fs::read_to_string(&config)?;
    let limits = "[budgets]\ngrowth = \"1GiB\"\nthreads = 5\nleaked-processes = \"0\"\n";
    std::fs::write(&config, text.replace("[budgets]", limits))?;
    let run = site.load(["--api", "status"]).run()?;
    let report = run.expect(&site, Verdict::OverBudget)?;
    assert_finding(&report, Severity::OverBudget, "budget 5 (configured)");
    assert_eq!(check(&report, ServerMetric::Growth.into()).1, LimitState::Within);
    let (leaked, state) = check(&report, ServerMetric::LeakedProcesses.into());
    assert_eq!((leaked, state), (Some(Amount::Count(0)), LimitState::Within));
    Ok(())
}
