//! Agreement of the table of metrics with two lists that are written by hand: the gate's cases,
//! and `docs/metrics.md`.

use std::collections::BTreeSet;

use skyload::metric::{Limits, Metric, ScenarioMetric};

const GATE: &str = include_str!("../gate/main.rs");
const DOCS: &str = include_str!("../../docs/metrics.md");

/// Texts between `from` and `to`, of each line that starts with `begin`.
fn between(text: &str, begin: &str, from: &str, to: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with(begin));
    let names = lines.filter_map(|line| Some(line.split_once(from)?.1.split_once(to)?.0));
    names.map(str::to_owned).collect()
}

fn budgets() -> BTreeSet<String> {
    Metric::budgets().map(|metric| metric.to_string()).collect()
}

#[test]
fn gate_cases_and_budgets_are_the_same() {
    assert_eq!(between(GATE, "#[case::", "(\"", "\")"), budgets());
}

#[test]
fn gate_cases_are_named_after_their_budgets() {
    let names = budgets().iter().map(|name| name.replace(['-', ' '], "_")).collect();
    assert_eq!(between(GATE, "#[case::", "#[case::", "("), names);
}

#[test]
fn every_budget_and_threshold_is_documented() {
    let documented: BTreeSet<String> = DOCS
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|names| names.split(", "))
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect();
    let thresholds = ScenarioMetric::ALL.iter().map(|statistic| statistic.row());
    let thresholds = thresholds.filter(|row| row.limits == Limits::Threshold);
    let mut names = budgets();
    names.extend(thresholds.map(|row| row.name.to_owned()));
    assert_eq!(documented, names);
}
