//! MONITORING SUMMARY, with upstream's labels in upstream's order.

use std::io::{self, Write};

use super::INDENT;
use crate::analysis::{MonitoringSummary, UpstreamFigures};
use crate::render::table::Table;
use crate::units::{ByteSize, as_gib, as_mib};

/// Upstream's labels of figures about executors.
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
    // `GB` in the labels is upstream's and means 1024^3 bytes.
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
    let own = [
        summary.short_peak,
        summary.short_average_peak,
        summary.long_peak,
        summary.long_average_peak,
    ];
    for (name, size) in EXECUTORS.into_iter().zip(own) {
        match size {
            Some(size) => writeln!(out, "{name}: {:.2}GB", as_gib(size))?,
            None => writeln!(out, "{name}: - (none ran)")?,
        }
    }
    writeln!(out, "\nAVERAGE USAGE:")?;
    writeln!(out, "Average CPU: {:.1}%", summary.average_cpu)?;
    writeln!(out, "Average Memory: {:.1}%", share(summary.average_memory))?;
    writeln!(out, "{rule}")?;
    summary.upstream.map_or(Ok(()), |upstream| compare_with_upstream(own, upstream, out))
}

/// Writes skyload's and upstream's figures of the same run as a table.
fn compare_with_upstream(
    own: [Option<ByteSize>; 4],
    upstream: UpstreamFigures,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(
        out,
        "\nEXECUTORS, in MiB (upstream: RSS of all processes of the machine with the keyword in \
         their command line; {} samples, {:.1} per second)",
        upstream.samples, upstream.rate_hz
    )?;
    let by_upstream = [
        upstream.short_peak,
        upstream.short_average_peak,
        upstream.long_peak,
        upstream.long_average_peak,
    ];
    let size = |size: Option<ByteSize>| {
        size.map_or_else(|| "-".to_owned(), |size| format!("{:.1}", as_mib(size)))
    };
    let mut rows = Table::new(&["figure", "skyload", "upstream"], 1);
    for ((name, own), by_upstream) in EXECUTORS.into_iter().zip(own).zip(by_upstream) {
        rows.row([name.to_owned(), size(own), size(by_upstream)]);
    }
    rows.text(INDENT, out)
}
