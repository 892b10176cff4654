//! The block that the original tool printed, in its words and order.

use std::io::{self, Write};

use super::INDENT;
use crate::analysis::{MonitoringSummary, UpstreamFigures};
use crate::render::table::Table;
use crate::units::{ByteSize, as_gib, as_mib};

/// The original's names of its figures on executors.
const EXECUTORS: [&str; 4] = [
    "Peak Non-blocking Executor Memory",
    "Peak Non-blocking Executor Memory Average",
    "Peak Blocking Executor Memory",
    "Peak Blocking Executor Memory Average",
];

pub(super) fn render(summary: Option<&MonitoringSummary>, out: &mut impl Write) -> io::Result<()> {
    let Some(summary) = summary else { return Ok(()) };
    let rule = "=".repeat(50);
    let seconds = summary.duration.as_secs_f64();
    let share = |size: ByteSize| as_gib(size) / as_gib(summary.memory_total) * 100.0;
    let delta = as_gib(summary.peak_memory) - as_gib(summary.baseline_memory);
    writeln!(out, "{rule}\nMONITORING SUMMARY\n{rule}")?;
    writeln!(out, "Duration: {seconds:.1} seconds ({:.2} hours)", seconds / 3600.0)?;
    writeln!(out, "\nBASELINE USAGE:")?;
    writeln!(out, "Baseline CPU: {:.1}%", summary.baseline_cpu)?;
    writeln!(
        out,
        "Baseline Memory: {:.2}GB ({:.1}%)",
        as_gib(summary.baseline_memory),
        share(summary.baseline_memory)
    )?;
    writeln!(out, "\nPEAK USAGE:")?;
    writeln!(out, "Peak CPU: {:.1}%", summary.peak_cpu)?;
    writeln!(
        out,
        "Peak Memory: {:.2}GB ({:.1}%)",
        as_gib(summary.peak_memory),
        share(summary.peak_memory)
    )?;
    writeln!(out, "Memory Delta: {delta:.1}GB")?;
    let ours = [
        summary.short_peak,
        summary.short_average_peak,
        summary.long_peak,
        summary.long_average_peak,
    ];
    for (name, size) in EXECUTORS.into_iter().zip(ours) {
        match size {
            Some(size) => writeln!(out, "{name}: {:.2}GB", as_gib(size))?,
            None => writeln!(out, "{name}: - (none ran)")?,
        }
    }
    writeln!(out, "\nAVERAGE USAGE:")?;
    writeln!(out, "Average CPU: {:.1}%", summary.average_cpu)?;
    writeln!(out, "Average Memory: {:.1}%", share(summary.average_memory))?;
    writeln!(out, "{rule}")?;
    summary.upstream.map_or(Ok(()), |original| side_by_side(ours, original, out))
}

/// Our figures beside those of the original's rule, on one and the same run.
fn side_by_side(
    ours: [Option<ByteSize>; 4],
    original: UpstreamFigures,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(
        out,
        "\nEXECUTORS, in MiB: ours beside the original's rule (resident memory of whatever on the \
         machine has the keyword in its command line; {} looks, {:.1} per second)",
        original.samples, original.rate_hz
    )?;
    let theirs = [
        original.short_peak,
        original.short_average_peak,
        original.long_peak,
        original.long_average_peak,
    ];
    let size = |size: Option<ByteSize>| {
        size.map_or_else(|| "-".to_owned(), |size| format!("{:.1}", as_mib(size)))
    };
    let mut rows = Table::new(&["", "ours", "original"], 1);
    for ((name, ours), theirs) in EXECUTORS.into_iter().zip(ours).zip(theirs) {
        rows.row([name.to_owned(), size(ours), size(theirs)]);
    }
    rows.text(INDENT, out)
}
