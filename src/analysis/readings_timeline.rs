//! Time series of the readings of single processes: threads and open files by class, zombies, and
//! the sizes of the server's databases. They show what grows in a long load beside memory.

use std::collections::{BTreeMap, BTreeSet};

use super::Evidence;
use super::downsampling::Chunks;
use super::timeline::{Line, Quantity, Subject, TimeSeries, chunks_of};
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::ProcessIdentity;
use crate::record::profile::{ProcessReading, Readings};
use crate::units::{ByteSize, as_mib, total};

/// Time series of all readings; none with fewer than two, which make no line.
pub(super) fn assemble(evidence: &Evidence) -> Vec<TimeSeries> {
    let readings: Vec<&Readings> = evidence.recording().readings().collect();
    if readings.len() < 2 {
        return Vec::new();
    }
    let times: Vec<Timestamp> = readings.iter().map(|one| one.at).collect();
    let chunks = chunks_of(&times, evidence.plan.validity.profiler_gap);
    let series = |quantity, lines: Vec<Line>| TimeSeries {
        quantity,
        times: chunks.times(&times),
        samples_each: chunks.samples_each(),
        lines,
    };
    let classes = classes(evidence);
    let threads = match evidence.recording().header() {
        Some(header) if !header.has_threads() => Vec::new(),
        _ => by_class(&readings, &chunks, &classes, |process| Some(process.threads)),
    };
    let files = by_class(&readings, &chunks, &classes, |process| process.open_files);
    let all = [
        series(Quantity::Threads, threads),
        series(Quantity::OpenFiles, files),
        series(Quantity::Databases, databases(&readings, &chunks)),
    ];
    all.into_iter().filter(|series| !series.lines.is_empty()).chain(zombies(evidence)).collect()
}

fn classes(evidence: &Evidence) -> BTreeMap<ProcessIdentity, ProcessClass> {
    let records = evidence.processes.iter().flat_map(|table| &table.processes);
    records.map(|record| (record.identity, record.class)).collect()
}

/// Lines of a count by class, with a value where a process of the class has one.
fn by_class(
    readings: &[&Readings],
    chunks: &Chunks,
    classes: &BTreeMap<ProcessIdentity, ProcessClass>,
    of: fn(&ProcessReading) -> Option<u32>,
) -> Vec<Line> {
    let sums_of = |one: &&Readings| {
        let mut sums = BTreeMap::<ProcessClass, u32>::new();
        for process in &one.processes {
            if let Some((class, count)) = classes.get(&process.identity()).zip(of(process)) {
                let sum = sums.entry(*class).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        sums
    };
    let sums: Vec<_> = readings.iter().map(sums_of).collect();
    let found: BTreeSet<ProcessClass> = sums.iter().flat_map(|one| one.keys().copied()).collect();
    let line = |class: ProcessClass| Line {
        subject: Subject::Class(class),
        values: chunks.values(|index| sums[index].get(&class).map(|count| f64::from(*count))),
    };
    found.into_iter().map(line).collect()
}

fn databases(readings: &[&Readings], chunks: &Chunks) -> Vec<Line> {
    let names: BTreeSet<&String> = readings.iter().flat_map(|one| one.databases.keys()).collect();
    let mib = |size: &ByteSize| Quantity::Databases.rounded(as_mib(*size));
    let line = |name: &String| Line {
        subject: Subject::Database(name.clone()),
        values: chunks.values(|index| readings[index].databases.get(name).map(mib)),
    };
    names.into_iter().map(line).collect()
}

/// Zombies by the samples; `None` if there never was one.
fn zombies(evidence: &Evidence) -> Option<TimeSeries> {
    let counts: Vec<(Timestamp, u32)> =
        evidence.samples().map(|sample| (sample.at, sample.zombies)).collect();
    let times: Vec<Timestamp> = counts.iter().map(|(at, _)| *at).collect();
    let chunks = chunks_of(&times, evidence.plan.validity.profiler_gap);
    let values = chunks.values(|index| Some(f64::from(counts[index].1)));
    (total(counts.iter().map(|(_, count)| *count)) > 0).then(|| TimeSeries {
        quantity: Quantity::Zombies,
        times: chunks.times(&times),
        samples_each: chunks.samples_each(),
        lines: vec![Line { subject: Subject::AllProcesses, values }],
    })
}
