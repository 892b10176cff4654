//! What measuring cost, and whether that was expected.

use std::time::Duration;

use crate::analysis::{MemoryReport, ProfilerReport, Report};
use crate::units::in_minutes;
use crate::units::{as_gib, as_mib, total};

/// Whose cost, and which.
pub(in crate::render) type Cost = (&'static str, String);

/// All costs that somebody noted.
pub(in crate::render) fn of_run(report: &Report) -> impl Iterator<Item = Cost> {
    let nodes = report.nodes.as_ref().map(|nodes| {
        let (cpu, peak) = (nodes.cpu.as_secs_f64(), as_mib(nodes.peak_memory));
        let cost = format!(
            "{cpu:.1} CPU-s, at most {peak:.0} MiB (RSS sum); they stand for other machines, and take \
             what the server leaves"
        );
        ("nodes", cost)
    });
    let all = [
        clients(report),
        commands(report),
        nodes,
        of_profiler(report.profiler),
        speed(report),
        starts(report),
        estimate(report),
    ];
    all.into_iter().flatten()
}

fn clients(report: &Report) -> Option<Cost> {
    let costs = || report.scenarios.iter().filter_map(|scenario| scenario.cost);
    let peak = costs().map(|cost| cost.own_peak).max()?;
    let cpu: Duration = total(costs().map(|cost| cost.own_cpu));
    let (cpu, peak) = (cpu.as_secs_f64(), as_mib(peak));
    Some(("clients", format!("{cpu:.1} CPU-s in skyload's processes (largest {peak:.1} MiB)")))
}

fn commands(report: &Report) -> Option<Cost> {
    let costs = || report.scenarios.iter().filter_map(|scenario| scenario.cost);
    let peak = costs().filter_map(|cost| cost.largest_child).max()?;
    let cpu: Duration = total(costs().map(|cost| cost.children_cpu));
    let (cpu, peak) = (cpu.as_secs_f64(), as_mib(peak));
    let cost = format!("{cpu:.1} CPU-s (largest {peak:.1} MiB); the client's, not the server's");
    Some(("sky processes", cost))
}

/// What watching the server cost.
pub(in crate::render) fn of_profiler(profiler: Option<ProfilerReport>) -> Option<Cost> {
    let ProfilerReport { interval, cost, .. } = profiler?;
    let cost = cost?;
    let cost = format!(
        "{:.1} CPU-s, {:.1} MiB, {:.1} of {:.1} ticks per second, longest gap {:.2} s",
        cost.cpu.as_secs_f64(),
        as_mib(cost.peak),
        cost.rate_hz,
        1.0 / interval.as_secs_f64(),
        cost.longest_gap.as_secs_f64()
    );
    Some(("profiler", cost))
}

/// How fast the machine was, and how many workers that meant for SkyPilot.
fn speed(report: &Report) -> Option<Cost> {
    let counted = report.environment.as_ref().and_then(|environment| environment.sky.counted);
    let counts = counted.map(|counted| {
        format!("SkyPilot counts {} CPUs and {:.1} GiB", counted.cpus, as_gib(counted.memory))
    });
    let speed = report.plan.speed.map(|speed| {
        format!(
            "{} CPUs, of which {:.1} were free; an import of sky took {:.1} CPU-s",
            speed.cpus,
            speed.effective_cpus(),
            speed.import.as_secs_f64()
        )
    });
    let facts: Vec<String> = [speed, counts].into_iter().flatten().collect();
    (!facts.is_empty()).then(|| ("machine", facts.join("; ")))
}

/// Over which time users started, which latencies and rates depend on.
fn starts(report: &Report) -> Option<Cost> {
    let ramp = report.plan.ramp;
    let spread = || format!("spread over {} (--ramp)", humantime::format_duration(ramp));
    (!ramp.is_zero()).then(|| ("starts of users", spread()))
}

/// What was expected before the run, beside what came.
fn estimate(report: &Report) -> Option<Cost> {
    let estimate = report.estimate?;
    let pss = report.memory.as_ref().and_then(MemoryReport::tree_pss_peak);
    let held = pss.map_or_else(String::new, |pss| format!(", {:.1} GiB", as_gib(pss)));
    let came = report.duration.map_or_else(String::new, |took| {
        format!("; it took {} (the server's memory at phase ends{held})", in_minutes(took))
    });
    let expected = in_minutes(estimate.duration);
    let planned = as_gib(report.plan.capacity.planned);
    Some(("expected", format!("{expected} and {planned:.1} GiB{came}")))
}
