//! Executors' memory by the requests that they ran: causes of peaks, cost of each kind of request,
//! and the spread over executors.

use std::iter;

use super::{Cell, Table, in_mib};
use crate::analysis::{Attribution, NameSource, Spread};
use crate::metric::Amount;

/// Largest peak of each class of executors with its cause, one line each.
pub(in crate::render) fn causes(attribution: &Attribution) -> impl Iterator<Item = String> {
    attribution.classes.iter().map(|executors| {
        let peak = in_mib(executors.peak);
        format!("{} peak {peak} MiB: {}", executors.class, executors.cause_in_words())
    })
}

/// Largest peak of each class of executors with its cause, in lines for a terminal.
pub(in crate::render) fn lines_of_causes(
    attribution: &Attribution,
) -> impl Iterator<Item = String> {
    attribution.classes.iter().flat_map(|executors| {
        let (class, peak) = (executors.class, in_mib(executors.peak));
        let cause = format!("{class} peak {peak} MiB: {}", executors.cause_alone_in_words());
        let without = executors.without_in_words().map(|text| format!("  {text}"));
        iter::once(cause).chain(without)
    })
}

/// Cost of each kind of request, in MiB and CPU seconds; `None` if no request was seen.
pub(in crate::render) fn costs(attribution: &Attribution) -> Option<Table> {
    let headings = [
        "request",
        "requests",
        "seen",
        "executors",
        "growth p50",
        "growth max",
        "stayed",
        "CPU s",
        "CPU s each",
    ];
    let mut table = Table::new(&headings, 1);
    for cost in &attribution.costs {
        table.rows.push(vec![
            Cell::plain(&cost.kind),
            cost.recorded.map_or(Cell::Unknown, Cell::plain),
            Cell::plain(cost.seen),
            Cell::plain(cost.executors),
            Cell::size(cost.growth_p50),
            Cell::size(cost.growth_max),
            Cell::size(cost.stayed_max),
            Cell::amount(cost.cpu.map(Amount::Duration)),
            Cell::amount(cost.cpu_each().map(Amount::Duration)),
        ]);
    }
    table.notes.extend(incomplete_names(attribution));
    (!table.is_empty()).then_some(table)
}

/// Note that the server's record of requests is incomplete.
fn incomplete_names(attribution: &Attribution) -> Option<String> {
    match attribution.names {
        NameSource::Complete => None,
        NameSource::Newest => Some("oldest requests are not in the server's list".to_owned()),
        NameSource::Missing => Some("requests without names: no list of the server's".to_owned()),
    }
}

/// Spread of idle RSS and of peaks over the executors of each class, in MiB.
pub(in crate::render) fn spread(attribution: &Attribution) -> Table {
    let headings = ["class", "figure", "executors", "p50", "p90", "max"];
    let mut table = Table::new(&headings, 2);
    for executors in &attribution.classes {
        let figures = [("idle RSS", executors.idle), ("peak", Some(executors.peaks))];
        for (figure, spread) in figures {
            let Some(Spread { processes, p50, p90, max }) = spread else { continue };
            let sizes = [p50, p90, max].map(|size| Cell::size(Some(size)));
            let row = [Cell::plain(executors.class), Cell::plain(figure), Cell::plain(processes)];
            table.rows.push(row.into_iter().chain(sizes).collect());
        }
    }
    table
}
