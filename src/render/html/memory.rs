//! Tables of the server's memory and processes, and of budgets for them.

use super::table::Table;
use crate::analysis::Report;
use crate::render::tables::server_view::{self, Section};
use crate::render::tables::{attribution, budgets, growth_rates, memory, phases};

/// Table of all budgets; `None` without budgets.
pub(super) fn budgets(report: &Report) -> Option<Table> {
    Some(Table::showing("Budgets", budgets::all(report)?))
}

/// Peaks by class; `None` without a profile.
pub(super) fn classes(report: &Report) -> Option<Table> {
    let memory = report.memory.as_ref()?;
    let how = report.profiler.map_or_else(String::new, |profiler| profiler.describe());
    let caption = format!("Memory by process class, in MiB ({how})");
    Some(Table::showing(caption, memory::classes(memory, &report.budgets)))
}

/// Causes of executors' peaks; empty without readings of executors.
pub(super) fn causes(report: &Report) -> Vec<String> {
    report.attribution.iter().flat_map(attribution::causes).collect()
}

/// Tables of executors: spread of their memory, and cost of each kind of request.
pub(super) fn executors(report: &Report) -> Vec<Table> {
    let Some(of) = &report.attribution else { return Vec::new() };
    let spread = Table::showing("Executors: idle RSS and peak, in MiB", attribution::spread(of));
    let caption = "Cost per request: growth of executors in MiB, CPU time in seconds";
    let costs = attribution::costs(of).map(|costs| Table::showing(caption, costs));
    std::iter::once(spread).chain(costs).collect()
}

/// Tables by phase: peaks, server at phase end, growth, and growth per hour. Empty without a
/// profile.
pub(super) fn by_phase(report: &Report) -> Vec<Table> {
    let Some(memory) = &report.memory else { return Vec::new() };
    let tables = [
        (
            "Peaks per phase, largest process, in MiB (reset at phase start)",
            memory::windows(memory),
        ),
        ("Server at phase end, in MiB", phases::ends(memory)),
        (
            "Growth by class, from baseline to last phase, in MiB",
            memory.growth.as_ref().map(phases::growth),
        ),
    ];
    let present = tables.into_iter().filter_map(|(caption, table)| Some((caption, table?)));
    let rates = memory.growth_rates.as_ref().and_then(|rates| {
        let table = growth_rates::rates(rates, &report.budgets)?;
        Some(Table::showing(growth_rates::heading(rates), table))
    });
    present.map(|(caption, table)| Table::showing(caption, table)).chain(rates).collect()
}

/// Tables of the server's own view; empty if its metrics were not read.
pub(super) fn server_view(report: &Report) -> Vec<Table> {
    let sections = server_view::sections(report).into_iter();
    sections
        .map(|Section { subject, unit, table }| Table::showing(format!("{subject}, {unit}"), table))
        .collect()
}

/// Totals of the whole server; `None` without a profile.
pub(super) fn whole(report: &Report) -> Option<Table> {
    Some(Table::showing("Server totals", phases::whole(report)?))
}
