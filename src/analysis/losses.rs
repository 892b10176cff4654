//! What files have lost, as far as they tell themselves. What they were when the run
//! ended is compared in [`RunDir::changes`](crate::record::RunDir).

use std::path::Path;

use crate::clock::Timestamp;
use crate::record::events::LoggedEvent;
use crate::record::profile::{ProcessTable, ProfileLine, Wrote};
use crate::scenario::ScenarioId;

/// What the file of marks has lost.
pub(super) fn of_marks(path: &Path, marks: &[LoggedEvent]) -> Option<String> {
    (!marks.is_sorted_by_key(|mark| mark.at)).then(|| disordered(path))
}

/// What is said of an outcome that is another scenario's.
pub(super) fn of_another(path: &Path, scenario: &ScenarioId) -> String {
    format!("`{}` is the outcome of {scenario}", path.display())
}

/// What the two files of a profile have lost.
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
    if !ticks(lines).is_sorted_by(|one, next| one < next) {
        losses.push(disordered(samples));
    }
    let is_complete = lines.iter().any(|line| matches!(line, ProfileLine::Footer { .. }));
    let (found, taken) = (ticks(lines).count(), table.map(|table| table.profiler.samples));
    if let Some(taken) = taken.filter(|taken| is_complete && *taken != as_count(found)) {
        losses.push(format!("`{}` has {found} tick(s) of {taken}", samples.display()));
    }
    let Some((before, wrote)) = closing_line(lines) else { return losses };
    if before != wrote.lines {
        losses.push(format!(
            "`{}` has {before} line(s) before its last, expected {}",
            samples.display(),
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

fn ticks(lines: &[ProfileLine]) -> impl Iterator<Item = Timestamp> {
    lines.iter().filter_map(|line| match line {
        ProfileLine::Sample(tick) => Some(tick.at),
        _ => None,
    })
}

/// What the profiler counted at its end, and how many lines are before that.
fn closing_line(lines: &[ProfileLine]) -> Option<(u64, Wrote)> {
    lines.iter().zip(0..).find_map(|(line, before)| match line {
        ProfileLine::Footer { wrote, .. } => Some((before, (*wrote)?)),
        _ => None,
    })
}

fn disordered(path: &Path) -> String {
    format!("lines of `{}` are not in order of time", path.display())
}
