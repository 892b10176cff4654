//! Table of the growth per hour.

use super::budgets::{self, HEADINGS};
use super::{Cell, Table};
use crate::analysis::{GrowthRates, LimitCheck, RateEstimate};
use crate::metric::{ClassMetric, Metric, ServerMetric, Unit};
use crate::units::in_tenths;

/// Heading of the table, without its unit.
pub(in crate::render) fn heading(rates: &GrowthRates) -> String {
    let left_out =
        humantime::format_duration(std::time::Duration::from_secs(rates.warm_up.as_secs()));
    let memory = rates.memory.name();
    format!("Growth per hour over the load, {memory}, in MiB/h (first {left_out} left out)")
}

/// Growth of all processes and of each class with its 95 % interval and its budget, in MiB per
/// hour; `None` for a load that is too short, unless a growth has a budget.
pub(in crate::render) fn rates(rates: &GrowthRates, checks: &[LimitCheck]) -> Option<Table> {
    let of_class = |class| Metric::Class(class, ClassMetric::GrowthRate);
    let whole = ServerMetric::GrowthRate.into();
    let is_limited = checks.iter().any(|check| check.metric.unit() == Unit::GrowthRate);
    if rates.all_processes == RateEstimate::TooShort && !is_limited {
        return None;
    }
    let headings = ["class", "processes", "growth", "95% interval"];
    let headings = headings.into_iter().chain(HEADINGS.into_iter().filter(|_| is_limited));
    let mut table = Table::new(&headings.collect::<Vec<_>>(), 1);
    let mut add = |name: Cell, processes: Cell, growth: RateEstimate, metric: Metric| {
        let [estimate, interval] = cells(growth);
        let budget = budgets::columns(checks, metric);
        let row = [name, processes, estimate, interval].into_iter().chain(budget);
        table.rows.push(row.take(table.headings.len()).collect());
    };
    for one in &rates.classes {
        let processes = Cell::plain(one.processes);
        add(Cell::plain(one.class), processes, one.growth, of_class(one.class));
    }
    add(Cell::plain("all processes"), Cell::blank(), rates.all_processes, whole);
    Some(table)
}

fn cells(growth: RateEstimate) -> [Cell; 2] {
    match growth {
        RateEstimate::Interval(interval) => {
            let [low, estimate, high] = [interval.low, interval.estimate, interval.high]
                .map(|rate| in_tenths(rate.as_mib_per_hour()));
            [Cell::Plain(estimate), Cell::Plain(format!("{low} to {high}"))]
        }
        RateEstimate::TooShort => [Cell::Unknown, Cell::plain("too short")],
    }
}
