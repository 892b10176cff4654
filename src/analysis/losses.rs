//! Lost data that the files of a run or profile reveal by themselves: missing lines, wrong order,
//! wrong counts. [`RunDir::changes`](crate::record::RunDir) compares the files with their
//! checksums from the end of the run.

use std::path::Path;

use crate::clock::Timestamp;
use crate::record::events::LoggedEvent;
use crate::record::profile::{ProcessTable, ProfileLine, Wrote};
use crate::scenario::ScenarioId;
use crate::units::{counted, total};

/// Damage of an event log: events out of order.
pub(super) fn of_events(path: &Path, events: &[LoggedEvent]) -> Option<String> {
    (!events.is_sorted_by_key(|logged| logged.at)).then(|| out_of_order(path))
}

/// Message about an outcome file that holds the outcome of another scenario.
pub(super) fn misplaced_outcome(path: &Path, scenario: &ScenarioId) -> String {
    format!("`{}` is the outcome of {scenario}", path.display())
}

/// Damage of the two files of a profile.
pub(super) fn of_profile(
    samples: &Path,
    processes: &Path,
    lines: &[ProfileLine],
    table: Option<&ProcessTable>,
) -> Vec<String> {
    let mut losses = Vec::new();
    if lines.first().is_some_and(|line| !matches!(line, ProfileLine::Header(_))) {
        losses.push(format!("`{}` has no header", samples.display()));
    }
    if !sample_times(lines).is_sorted_by(|one, next| one < next) {
        losses.push(out_of_order(samples));
    }
    // Without a footer, the process table may be older than the last samples.
    let is_complete = lines.iter().any(|line| matches!(line, ProfileLine::Footer { .. }));
    let (found, taken) = (samples_taken(lines), table.map(|table| table.profiler.samples));
    if let Some(taken) = taken.filter(|taken| is_complete && *taken != found) {
        let taken = counted(taken, "sample");
        losses.push(format!("`{}` has {found} of {taken}", samples.display()));
    }
    let Some((before, wrote)) = footer_counts(lines) else { return losses };
    if before != wrote.lines {
        losses.push(format!(
            "`{}` has {} before its last, expected {}",
            samples.display(),
            counted(before, "line"),
            wrote.lines
        ));
    }
    let listed = table.map(|table| as_count(table.processes.len()));
    if let Some(listed) = listed.filter(|listed| *listed != wrote.processes) {
        losses.push(format!(
            "`{}` lists {listed} of {} process(es) that the profiler saw",
            processes.display(),
            wrote.processes
        ));
    }
    losses
}

fn as_count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Number of samples, those included that were left out of a long profile.
fn samples_taken(lines: &[ProfileLine]) -> u64 {
    total(lines.iter().map(|line| match line {
        ProfileLine::Sample(sample) => 1 + u64::from(sample.left_out),
        _ => 0,
    }))
}

fn sample_times(lines: &[ProfileLine]) -> impl Iterator<Item = Timestamp> {
    lines.iter().filter_map(|line| match line {
        ProfileLine::Sample(sample) => Some(sample.at),
        _ => None,
    })
}

/// Number of lines before the footer, and the counts in the footer; `None` without either.
fn footer_counts(lines: &[ProfileLine]) -> Option<(u64, Wrote)> {
    lines.iter().zip(0..).find_map(|(line, before)| match line {
        ProfileLine::Footer { wrote, .. } => Some((before, (*wrote)?)),
        _ => None,
    })
}

fn out_of_order(path: &Path) -> String {
    format!("lines of `{}` are not in chronological order", path.display())
}
