//! What measuring cost, and whether that was expected.

use std::io::{self, Write};
use std::time::Duration;

use super::in_minutes;
use crate::report::{MemoryReport, ProfilerReport, Report};
use crate::units::{as_gib, as_mib};

pub(super) fn render(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nCOST of measuring")?;
    let costs = || report.scenarios.iter().filter_map(|scenario| scenario.cost);
    let clients: Duration = costs().map(|cost| cost.own_cpu).sum();
    let peak = costs().map(|cost| cost.own_peak).max().unwrap_or_default();
    writeln!(
        out,
        "  clients: {:.1} CPU-s in skyload's processes (largest {:.1} MiB)",
        clients.as_secs_f64(),
        as_mib(peak)
    )?;
    if let Some(largest) = costs().filter_map(|cost| cost.largest_child).max() {
        let cpu: Duration = costs().map(|cost| cost.children_cpu).sum();
        writeln!(
            out,
            "  sky processes: {:.1} CPU-s (largest {:.1} MiB); the client's, not the server's",
            cpu.as_secs_f64(),
            as_mib(largest)
        )?;
    }
    if let Some(nodes) = &report.nodes {
        writeln!(
            out,
            "  nodes: {:.1} CPU-s, at most {:.0} MiB (RSS sum); they stand for other machines, and \
             take what the server leaves",
            nodes.cpu.as_secs_f64(),
            as_mib(nodes.peak_memory)
        )?;
    }
    profiler(report.profiler, out)?;
    estimate(report, out)
}

/// What watching the server cost.
pub(super) fn profiler(profiler: Option<ProfilerReport>, out: &mut impl Write) -> io::Result<()> {
    let Some(ProfilerReport { interval, cost: Some(cost), .. }) = profiler else { return Ok(()) };
    writeln!(
        out,
        "  profiler: {:.1} CPU-s, {:.1} MiB, {:.1} of {:.1} ticks per second, longest gap {:.2} s",
        cost.cpu.as_secs_f64(),
        as_mib(cost.peak),
        cost.rate_hz,
        1.0 / interval.as_secs_f64(),
        cost.longest_gap.as_secs_f64()
    )
}

/// What was expected before the run, beside what came.
fn estimate(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let (Some(estimate), Some(took)) = (report.plan.estimate, report.duration) else {
        return Ok(());
    };
    let pss = report.memory.as_ref().and_then(MemoryReport::tree_pss_peak);
    let held = pss.map_or_else(String::new, |pss| format!(", {:.1} GiB", as_gib(pss)));
    writeln!(
        out,
        "  expected: {} and {:.1} GiB; it took {} (the server's memory at phase ends{held})",
        in_minutes(estimate.duration),
        as_gib(report.plan.capacity.planned),
        in_minutes(took)
    )
}
