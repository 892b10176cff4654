//! The block that the original tool printed, in its words and order.

use std::io::{self, Write};

use crate::report::MonitoringSummary;
use crate::units::{ByteSize, as_gib};

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
    let lines = [
        ("Peak Non-blocking Executor Memory", summary.short_peak),
        ("Peak Non-blocking Executor Memory Average", summary.short_average_peak),
        ("Peak Blocking Executor Memory", summary.long_peak),
        ("Peak Blocking Executor Memory Average", summary.long_average_peak),
    ];
    for (name, size) in lines {
        match size {
            Some(size) => writeln!(out, "{name}: {:.2}GB", as_gib(size))?,
            None => writeln!(out, "{name}: - (none ran)")?,
        }
    }
    writeln!(out, "\nAVERAGE USAGE:")?;
    writeln!(out, "Average CPU: {:.1}%", summary.average_cpu)?;
    writeln!(out, "Average Memory: {:.1}%", share(summary.average_memory))?;
    writeln!(out, "{rule}")
}
