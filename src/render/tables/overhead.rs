//! Overhead of profiler and load generator, speed of the host, and estimate with actual figures.

use std::time::Duration;

use crate::analysis::{ProfilerReport, Report};
use crate::units::in_minutes;
use crate::units::{ByteSize, as_gib, as_mib, total};

/// Row of the overhead: a name and its figures.
pub(in crate::render) type Row = (&'static str, String);

/// Rows of a run: those for which figures were recorded.
pub(in crate::render) fn of_run(report: &Report) -> impl Iterator<Item = Row> {
    let nodes = report.nodes.as_ref();
    let cloud_api = nodes.and_then(|nodes| nodes.cloud_api);
    let all = [
        clients(report),
        commands(report),
        nodes.map(|nodes| elsewhere("nodes", nodes.cpu, nodes.peak_memory)),
        cloud_api.map(|api| elsewhere("cloud API", api.cpu, api.peak_memory)),
        of_profiler(report.profiler),
        speed(report),
        ramp(report),
        estimate(report),
    ];
    all.into_iter().flatten()
}

/// Row of processes that stand for other machines.
fn elsewhere(name: &'static str, cpu: Duration, peak: ByteSize) -> Row {
    let (cpu, peak) = (cpu.as_secs_f64(), as_mib(peak));
    (name, format!("{cpu:.1} CPU-s, max {peak:.0} MiB (RSS sum); not part of the server"))
}

fn clients(report: &Report) -> Option<Row> {
    let costs = || report.scenarios.iter().filter_map(|scenario| scenario.cost);
    let peak = costs().map(|cost| cost.own_peak).max()?;
    let cpu: Duration = total(costs().map(|cost| cost.own_cpu));
    let (cpu, peak) = (cpu.as_secs_f64(), as_mib(peak));
    Some(("load generator", format!("{cpu:.1} CPU-s, max process {peak:.1} MiB")))
}

fn commands(report: &Report) -> Option<Row> {
    let costs = || report.scenarios.iter().filter_map(|scenario| scenario.cost);
    let peak = costs().filter_map(|cost| cost.largest_child).max()?;
    let cpu: Duration = total(costs().map(|cost| cost.children_cpu));
    let (cpu, peak) = (cpu.as_secs_f64(), as_mib(peak));
    let text = format!("{cpu:.1} CPU-s, max process {peak:.1} MiB; part of the load generator");
    Some(("sky processes", text))
}

/// Row of the profiler.
pub(in crate::render) fn of_profiler(profiler: Option<ProfilerReport>) -> Option<Row> {
    let ProfilerReport { interval, cost, .. } = profiler?;
    let cost = cost?;
    let text = format!(
        "{:.1} CPU-s, {:.1} MiB, {:.1} of {:.1} samples per second, longest gap {:.2} s",
        cost.cpu.as_secs_f64(),
        as_mib(cost.peak),
        cost.rate_hz,
        1.0 / interval.as_secs_f64(),
        cost.longest_gap.as_secs_f64()
    );
    Some(("profiler", text))
}

/// Row of the host's speed, and of the CPUs and memory that SkyPilot counted.
fn speed(report: &Report) -> Option<Row> {
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

/// Row of the ramp, which latencies and rates depend on; `None` for a burst.
fn ramp(report: &Report) -> Option<Row> {
    let ramp = report.plan.ramp;
    let text = || format!("starts of users spread over {}", humantime::format_duration(ramp));
    (!ramp.is_zero()).then(|| ("ramp", text()))
}

/// Row of the plan's estimate and the actual figures, both of server, load generator and nodes
/// together.
fn estimate(report: &Report) -> Option<Row> {
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
