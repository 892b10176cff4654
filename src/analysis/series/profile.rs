//! Points of the profile: memory and processes by class, and the machine.

use std::borrow::Cow;

use super::{Source, Unit, Value};
use crate::analysis::Evidence;
use crate::analysis::timeline::{Quantity, Subject, TimeSeries};
use crate::clock::Timestamp;
use crate::record::profile::ProfileLine;
use crate::units::{ByteSize, as_mib};

/// Subject of what is about all processes of the server.
const ALL_PROCESSES: &str = "all-processes";

/// Points of one chart.
pub(super) fn of_chart(series: &TimeSeries) -> impl Iterator<Item = (Timestamp, Value<'_>)> {
    let (source, metric, unit) = match series.quantity {
        Quantity::MemorySum => (Source::Profile, "rss-sum", Unit::Mib),
        Quantity::MemoryOfLargest => (Source::Profile, "rss-max", Unit::Mib),
        Quantity::Processes => (Source::Profile, "processes", Unit::Count),
        Quantity::Threads => (Source::Profile, "threads", Unit::Count),
        Quantity::OpenFiles => (Source::Profile, "open-files", Unit::Count),
        Quantity::Zombies => (Source::Profile, "zombies", Unit::Count),
        Quantity::Databases => (Source::Profile, "database-size", Unit::Mib),
        Quantity::Cpu => (Source::Machine, "cpu", Unit::Percent),
        Quantity::MachineMemory => (Source::Machine, "memory-used", Unit::Gib),
        Quantity::InFlight => (Source::Scenario, "in-flight", Unit::Count),
        Quantity::Starts => (Source::Scenario, "starts-per-second", Unit::Count),
    };
    of_lines(series, source, metric, unit)
}

/// Points of the machine's available memory.
pub(super) fn of_available_memory(
    series: &TimeSeries,
) -> impl Iterator<Item = (Timestamp, Value<'_>)> {
    of_lines(series, Source::Machine, "memory-available", Unit::Gib)
}

fn of_lines<'a>(
    series: &'a TimeSeries,
    source: Source,
    metric: &'static str,
    unit: Unit,
) -> impl Iterator<Item = (Timestamp, Value<'a>)> {
    series.lines.iter().flat_map(move |line| {
        let subject = match &line.subject {
            Subject::AllProcesses => ALL_PROCESSES,
            Subject::Class(class) => class.name(),
            Subject::Database(name) => name,
            Subject::Machine => "machine",
            Subject::Kind(kind) => kind.name(),
        };
        // A point without a value stands for a sampling gap, or a class without a process.
        let values = series.times.iter().zip(&line.values);
        values.filter_map(move |(at, value)| {
            Some((*at, (source, Cow::Borrowed(subject), metric, unit, (*value)?)))
        })
    })
}

/// Points of the PSS at phase ends, the only times at which it is read.
pub(super) fn of_phase_ends(evidence: &Evidence) -> impl Iterator<Item = (Timestamp, Value<'_>)> {
    let snapshots = evidence.profile.iter().filter_map(|line| match line {
        ProfileLine::Snapshot(snapshot) => Some(snapshot),
        _ => None,
    });
    snapshots.flat_map(|snapshot| {
        let point = |subject: &'static str, pss: ByteSize| {
            let value = (Source::Profile, Cow::Borrowed(subject), "pss", Unit::Mib, as_mib(pss));
            (snapshot.at, value)
        };
        let classes = snapshot.classes.iter().map(move |(class, one)| point(class.name(), one.pss));
        let all = snapshot.classes.values().map(|one| one.pss).sum();
        let all = (!snapshot.classes.is_empty()).then(|| point(ALL_PROCESSES, all));
        all.into_iter().chain(classes)
    })
}
