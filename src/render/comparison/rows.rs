//! Tables of a comparison, for text and Markdown.

use crate::comparison::{Change, Comparison, MOST_FORECAST, MetricComparison, MetricVerdict};
use crate::ids::RunId;
use crate::metric::{Amount, Unit};
use crate::render::table::{Cell, Table, VERDICT};

/// Table of the metrics that decide, or of those that inform.
pub(in crate::render) fn metrics(comparison: &Comparison, decide: bool) -> Table {
    let mut table = Table::new(&["metric", "base", "candidate", "change", "interval", VERDICT], 1);
    for metric in comparison.metrics.iter().filter(|metric| metric.decides == decide) {
        let mean = |amount: Option<Amount>| match amount {
            Some(amount) if metric.has_lower_bounds => Cell::AtLeast(amount.to_string()),
            Some(amount) => Cell::Plain(amount.to_string()),
            None => Cell::Unknown,
        };
        let change = metric.change.as_ref();
        let of_change = |text: fn(&Change, &MetricComparison) -> String| match change {
            Some(change) => Cell::Plain(text(change, metric)),
            None => Cell::Unknown,
        };
        table.rows.push(vec![
            Cell::Plain(metric.metric.to_string()),
            mean(metric.base),
            mean(metric.candidate),
            of_change(|change, metric| signed(change, change.estimate, metric)),
            of_change(interval),
            Cell::Plain(verdict(metric)),
        ]);
    }
    table
}

/// Table of the runs that are compared, by the numbers of their pairs.
pub(in crate::render) fn runs(comparison: &Comparison) -> Table {
    let mut table = Table::new(&["number", "base", "candidate"], 3);
    let [base, candidate] = [&comparison.base, &comparison.candidate].map(|side| &side.runs);
    for index in 0..base.len().max(candidate.len()) {
        let run = |of: &[RunId]| of.get(index).map_or_else(String::new, ToString::to_string);
        table.row([(index + 1).to_string(), run(base), run(candidate)]);
    }
    table
}

/// Table of the packages that differ; without rows if none do, or if they are unknown.
pub(in crate::render) fn packages(comparison: &Comparison) -> Table {
    let mut table = Table::new(&["package", "base", "candidate"], 3);
    for package in comparison.packages.iter().flatten() {
        let version =
            |of: &Option<String>| of.clone().unwrap_or_else(|| "not installed".to_owned());
        table.row([package.name.clone(), version(&package.base), version(&package.candidate)]);
    }
    table
}

/// Table of the errors of both versions.
pub(in crate::render) fn errors(comparison: &Comparison) -> Table {
    let mut table = Table::new(&["scenario", "error", "runs of base", "runs of candidate"], 2);
    for error in &comparison.errors {
        table.row([
            error.scenario.to_string(),
            error.error_type.clone(),
            error.runs_of_base.to_string(),
            error.runs_of_candidate.to_string(),
        ]);
    }
    table
}

/// Verdict of a metric in words, with the number of pairs that would decide.
fn verdict(metric: &MetricComparison) -> String {
    match (metric.verdict, &metric.change) {
        (MetricVerdict::Worse, _) => "worse".to_owned(),
        (MetricVerdict::Better, _) => "better".to_owned(),
        (MetricVerdict::Same, _) => "same".to_owned(),
        (MetricVerdict::Undecided { .. }, None) => "undecided (too few runs)".to_owned(),
        (MetricVerdict::Undecided { pairs }, _) => format!("undecided ({})", needs(pairs)),
        (MetricVerdict::TooNoisy { pairs }, _) => format!("too noisy ({})", needs(pairs)),
        (MetricVerdict::NotCompared { only_in_base: true }, _) => "only in base".to_owned(),
        (MetricVerdict::NotCompared { only_in_base: false }, _) => "only in candidate".to_owned(),
        (MetricVerdict::OtherConditions, _) => match &metric.other_conditions[..] {
            [first, others @ ..] if !others.is_empty() => {
                format!("not compared ({first} and {} more)", others.len())
            }
            conditions => format!("not compared ({})", conditions.concat()),
        },
    }
}

/// Number of pairs that would decide, in words.
fn needs(pairs: Option<usize>) -> String {
    match pairs {
        Some(pairs) => format!("needs {pairs} pairs"),
        None => format!("needs > {MOST_FORECAST} pairs"),
    }
}

/// Interval that the verdict rests on.
pub(in crate::render) fn interval(change: &Change, metric: &MetricComparison) -> String {
    let interval = change.decisive(metric.verdict);
    let [low, high] = [interval.low, interval.high].map(|end| signed(change, end, metric));
    format!("{low} to {high}")
}

/// Change with its sign, in percent or in the unit of the metric.
pub(in crate::render) fn signed(change: &Change, number: f64, metric: &MetricComparison) -> String {
    match metric.metric.kind().unit() {
        _ if change.is_ratio => signed_percent(number),
        // Means of counts have fractions.
        Unit::Count => format!("{number:+.1}"),
        unit => signed_amount(number, unit),
    }
}

/// Ratio minus 1 as a change in percent.
pub(super) fn signed_percent(ratio: f64) -> String {
    format!("{:+.1}%", ratio * 100.0)
}

/// Difference with its sign.
pub(super) fn signed_amount(number: f64, unit: Unit) -> String {
    let sign = if number < 0.0 { "-" } else { "+" };
    format!("{sign}{}", Amount::of_number(number.abs(), unit))
}
