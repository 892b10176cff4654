//! Overhead of measuring and of the load generator, and the estimate beside the actual figures.

use std::time::Duration;

use crate::analysis::{ProfilerReport, Report};
use crate::units::in_minutes;
use crate::units::{ByteSize, as_gib, as_mib, total};

/// Name of what takes CPU or memory, and how much.
pub(in crate::render) type Cost = (&'static str, String);

/// Overhead of everything that recorded its own.
pub(in crate::render) fn of_run(report: &Report) -> impl Iterator<Item = Cost> {
    let nodes = report.nodes.as_ref().map(|nodes| {
        let (cpu, peak) = (nodes.cpu.as_secs_f64(), as_mib(nodes.peak_memory));
        let cost = format!(
            "{cpu:.1} CPU-s, max {peak:.0} MiB (RSS sum); lower CPU priority, not part of the \
             server"
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
    Some(("load generator", format!("{cpu:.1} CPU-s, max process {peak:.1} MiB")))
}

fn commands(report: &Report) -> Option<Cost> {
    let costs = || report.scenarios.iter().filter_map(|scenario| scenario.cost);
    let peak = costs().filter_map(|cost| cost.largest_child).max()?;
    let cpu: Duration = total(costs().map(|cost| cost.children_cpu));
    let (cpu, peak) = (cpu.as_secs_f64(), as_mib(peak));
    let cost = format!("{cpu:.1} CPU-s, max process {peak:.1} MiB; part of the load generator");
    Some(("sky processes", cost))
}

/// Overhead of the profiler.
pub(in crate::render) fn of_profiler(profiler: Option<ProfilerReport>) -> Option<Cost> {
    let ProfilerReport { interval, cost, .. } = profiler?;
    let cost = cost?;
    let cost = format!(
        "{:.1} CPU-s, {:.1} MiB, {:.1} of {:.1} samples per second, longest gap {:.2} s",
        cost.cpu.as_secs_f64(),
        as_mib(cost.peak),
        cost.rate_hz,
        1.0 / interval.as_secs_f64(),
        cost.longest_gap.as_secs_f64()
    );
    Some(("profiler", cost))
}

/// Speed of the host, and the CPUs and memory that SkyPilot counted.
fn speed(report: &Report) -> Option<Cost> {
    let counted = report.environment.as_ref().and_then(|environment| environment.sky.counted);
    let counts = counted.map(|counted| {
        format!("SkyPilot counts {} CPUs and {:.1} GiB", counted.cpus, as_gib(counted.memory))
    });
    let speed = report.plan.speed.map(|speed| {
        format!(
            "{} CPUs, {:.1} free; `import sky` takes {:.1} CPU-s",
            speed.cpus,
            speed.effective_cpus(),
            speed.import.as_secs_f64()
        )
    });
    let facts: Vec<String> = [speed, counts].into_iter().flatten().collect();
    (!facts.is_empty()).then(|| ("machine", facts.join("; ")))
}

/// Ramp: latencies and rates depend on it.
fn starts(report: &Report) -> Option<Cost> {
    let ramp = report.plan.ramp;
    let spread = || format!("starts of users spread over {}", humantime::format_duration(ramp));
    (!ramp.is_zero()).then(|| ("ramp", spread()))
}

/// Estimate of the plan, beside what the run took. Both are of everything: server, load
/// generator and nodes.
fn estimate(report: &Report) -> Option<Cost> {
    let estimate = report.estimate?;
    let planned = as_gib(report.plan.capacity.planned);
    let mut text = format!("{}, {planned:.1} GiB", in_minutes(estimate.duration));
    if let Some(took) = report.duration {
        text += &format!("; actual: {}", in_minutes(took));
        let used = || {
            let (peak, before) = (report.summary?.peak_memory, report.memory_before?);
            Some(ByteSize(peak.as_u64().saturating_sub(before.as_u64())))
        };
        if let Some(used) = used() {
            text += &format!(", {:.1} GiB (host memory, peak less before the start)", as_gib(used));
        }
    }
    Some(("estimate", text))
}
