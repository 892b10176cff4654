//! Stable memory of executors and outliers among them, and how much of both a constant covers.

use std::io::{self, Write};

use super::super::Recommendation;
use super::super::support::{Advice, ClassPeak};
use super::INDENT;
use crate::analysis::{ExecutorClass, Spread};
use crate::render::table::Table;
use crate::units::{ByteSize, as_mib};

/// Writes the spread of executors' memory for each constant and run, and the causes of the largest
/// peaks. Nothing without readings of executors.
pub(super) fn write(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    let headings = [
        "constant",
        "run",
        "executors",
        "idle p50",
        "idle p90",
        "peak p50",
        "peak p90",
        "max peak",
        "covered now",
        "recommended covers",
    ];
    let mut rows = Table::new(&headings, 2);
    let mut causes = Vec::new();
    for advice in &recommendation.constants {
        for (seen, executors) in with_executors(advice) {
            rows.row(row(advice, seen, executors));
            let peak = as_mib(executors.peak);
            let cause = executors.cause_in_words();
            causes.push(format!("{}, {}: {peak:.1} MiB by {cause}", advice.constant, seen.run));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nSTABLE AND OUTLIER: memory of executors, in MiB")?;
    rows.text(INDENT, out)?;
    causes.iter().try_for_each(|cause| writeln!(out, "{INDENT}{cause}"))
}

fn with_executors(advice: &Advice) -> impl Iterator<Item = (&ClassPeak, &ExecutorClass)> {
    advice.peaks.iter().filter_map(|seen| Some((seen, seen.executors.as_ref()?)))
}

fn row(advice: &Advice, seen: &ClassPeak, executors: &ExecutorClass) -> Vec<String> {
    let size = |size: ByteSize| format!("{:.1}", as_mib(size));
    let idle = |of: fn(&Spread) -> ByteSize| {
        executors.idle.as_ref().map_or_else(|| "-".to_owned(), |idle| size(of(idle)))
    };
    let covers = |constant: Option<ByteSize>| {
        constant.map_or("-", |constant| covered(constant, executors.peaks)).to_owned()
    };
    vec![
        advice.constant.to_string(),
        seen.run.to_string(),
        executors.peaks.processes.to_string(),
        idle(|idle| idle.p50),
        idle(|idle| idle.p90),
        size(executors.peaks.p50),
        size(executors.peaks.p90),
        size(executors.peaks.max),
        covers(advice.current),
        covers(advice.recommended()),
    ]
}

/// Part of the peaks that a constant covers.
fn covered(constant: ByteSize, peaks: Spread) -> &'static str {
    match constant {
        constant if constant >= peaks.max => "all",
        constant if constant >= peaks.p90 => "90 %",
        constant if constant >= peaks.p50 => "half",
        _ => "less than half",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_between_two_percentiles_covers_the_lower_one() {
        let mib = ByteSize::mib;
        let peaks = Spread { processes: 20, p50: mib(170), p90: mib(190), max: mib(310) };
        let covers = [409, 310, 300, 190, 180, 100].map(|constant| covered(mib(constant), peaks));
        assert_eq!(covers, ["all", "all", "90 %", "90 %", "half", "less than half"]);
    }
}
