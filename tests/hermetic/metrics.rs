//! The table of metrics, and the lists that cannot be made from it: the gate's cases, and
//! what users read.

use std::collections::BTreeSet;

use skyload::metric::{Limits, Metric, ScenarioMetric};

const GATE: &str = include_str!("../gate/main.rs");
const DOCS: &str = include_str!("../../docs/metrics.md");

/// Texts between these two, of each line that begins like that.
fn between(text: &str, begin: &str, from: &str, to: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with(begin));
    let names = lines.filter_map(|line| Some(line.split_once(from)?.1.split_once(to)?.0));
    names.map(str::to_owned).collect()
}

fn budgets() -> BTreeSet<String> {
    Metric::budgets().map(|metric| metric.to_string()).collect()
}

#[test]
fn every_budget_has_a_case_of_the_gate_and_no_case_is_of_anything_else() {
    assert_eq!(between(GATE, "#[case::", "(\"", "\")"), budgets());
}

#[test]
fn a_case_of_the_gate_is_chosen_by_the_name_of_its_budget() {
    let names = budgets().iter().map(|name| name.replace('-', "_")).collect();
    assert_eq!(between(GATE, "#[case::", "#[case::", "("), names);
}

#[test]
fn every_limit_that_can_be_set_is_documented() {
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
