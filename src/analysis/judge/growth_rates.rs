//! Findings on growth per hour: budgets, and growth that has none.

use super::{About, Case, Findings, Severity};
use crate::analysis::limits::{LimitCheck, LimitState};
use crate::analysis::metrics::{Absence, Measured};
use crate::analysis::{GrowthRates, RateEstimate, RateInterval, SHORTEST_LOAD, time_to_decide};
use crate::metric::{Amount, ClassMetric, Metric, ServerMetric, Unit};
use crate::units::GrowthRate;

impl Findings {
    /// Adds findings on budgets for growth per hour, and notes on growth without a budget.
    pub(super) fn of_growth_rates(&mut self, case: &Case<'_>) {
        for check in case.budgets.iter().filter(|check| is_rate(check.metric)) {
            let severity = match check.state {
                LimitState::Over => Severity::OverBudget,
                LimitState::Undecided | LimitState::NotMeasured => Severity::Inconclusive,
                // A skipped budget is noted with the other skipped ones.
                _ => continue,
            };
            let message = message(case, check);
            self.add_about(About::Metric(check.metric), severity, message);
        }
        let Some(rates) = case.memory().and_then(|memory| memory.growth_rates.as_ref()) else {
            return;
        };
        for (metric, growth) in growing(rates) {
            if !case.budgets.iter().any(|check| check.metric == metric) {
                let fastest = fastest(rates, metric).unwrap_or_default();
                let message = format!("{} by {growth}{fastest}", grows(metric, rates));
                self.add_about(About::Metric(metric), Severity::Note, message);
            }
        }
    }
}

/// Whether the metric is a growth per hour.
pub(super) fn is_rate(metric: Metric) -> bool {
    metric.unit() == Unit::GrowthRate
}

/// Metrics of what grows, with its growth.
fn growing(rates: &GrowthRates) -> impl Iterator<Item = (Metric, RateInterval)> {
    let all = (Metric::Server(ServerMetric::GrowthRate), rates.all_processes);
    let classes = rates
        .classes
        .iter()
        .map(|one| (Metric::Class(one.class, ClassMetric::GrowthRate), one.growth));
    let measured =
        [all].into_iter().chain(classes).filter_map(|(metric, it)| Some((metric, it.interval()?)));
    measured.filter(|(_, growth)| growth.is_growth())
}

/// Subject of the metric, with its verb.
fn grows(metric: Metric, rates: &GrowthRates) -> String {
    match metric {
        Metric::Class(class, _) => format!("{class} grows"),
        Metric::Server(_) => format!("{} of all processes grows", rates.memory.name()),
    }
}

/// Clause about the process of the metric's class that grows fastest; `None` if it is the only one.
fn fastest(rates: &GrowthRates, metric: Metric) -> Option<String> {
    let Metric::Class(class, _) = metric else { return None };
    let others = rates.class(class)?.processes > 1;
    let fastest = rates.fastest(class).filter(|_| others)?;
    Some(format!("; fastest {} by {}", fastest.identity, fastest.growth))
}

fn message(case: &Case<'_>, check: &LimitCheck) -> String {
    let metric = check.metric;
    let rates = case.memory().and_then(|memory| memory.growth_rates.as_ref());
    match (case.sources.measure(metric), check.limit, rates) {
        (Measured::Growth(growth), Some(Amount::GrowthRate(budget)), Some(rates)) => {
            let fastest = fastest(rates, metric).unwrap_or_default();
            let budget_and_source = format!("budget {budget} ({})", check.source);
            match check.state {
                LimitState::Over => {
                    format!("{} by {growth}, {budget_and_source}{fastest}", grows(metric, rates))
                }
                _ => format!(
                    "{metric}: {growth}, not decided against the {budget_and_source}; {}",
                    needed(rates, growth, budget)
                ),
            }
        }
        (Measured::Absent(Absence::TooShort), ..) => {
            format!("{metric}: budget not checked, {}", too_short(rates))
        }
        _ => format!(
            "{metric}: budget not checked, nothing was measured; needs a profile with readings of \
             single processes"
        ),
    }
}

/// Clause about what was too short for an interval.
fn too_short(rates: Option<&GrowthRates>) -> String {
    match rates.filter(|rates| rates.load >= SHORTEST_LOAD) {
        None => format!(
            "the load is too short for an interval; needs --for {} or longer",
            humantime::format_duration(SHORTEST_LOAD)
        ),
        Some(rates) if rates.all_processes == RateEstimate::TooShort => {
            "readings of single processes cover too little of the load for an interval".to_owned()
        }
        Some(_) => "its processes lived too shortly after their warm-up for an interval".to_owned(),
    }
}

/// Load that would decide.
fn needed(rates: &GrowthRates, growth: RateInterval, budget: GrowthRate) -> String {
    match time_to_decide(rates.load, growth, budget) {
        Some(wanted) => format!("needs about --for {}", humantime::format_duration(wanted)),
        None => "more than a week of load would be needed".to_owned(),
    }
}
