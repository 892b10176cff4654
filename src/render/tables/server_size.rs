//! Stated size of the server, with the counts of its control group.

use super::overhead::Row;
use crate::analysis::{Report, ServerSize};
use crate::limits::{CpuLimit, GroupFigures};
use crate::machine_size::MachineSize;
use crate::record::HeldTo;
use crate::units::as_gib;

/// Rows of the stated size; none for a server of its machine's size.
pub(in crate::render) fn of_run(report: &Report) -> Vec<Row> {
    let Some(server_size) = &report.server_size else { return Vec::new() };
    let ServerSize { size, group, .. } = server_size;
    let mut rows = vec![("size", format!("{size}; SkyPilot sizes its workers by it"))];
    match group {
        HeldTo::Nothing(reason) => rows.push(("held", format!("no: {reason}"))),
        HeldTo::Group { folder, cpus, figures } => {
            rows.push(("held", format!("by {folder}, without swap")));
            rows.extend(figures.map(|figures| ("memory", memory(*size, &figures))));
            rows.push(("OOM kills", kills(server_size)));
            rows.push(("CPU", cpu(cpus, figures.as_ref())));
            let tasks = figures.and_then(|figures| figures.tasks);
            rows.extend(tasks.map(|tasks| ("tasks", format!("max {tasks} processes and threads"))));
        }
    }
    rows
}

/// Stated size and its most important counts, in one line; `None` for a server of its machine's
/// size.
pub(in crate::render) fn line(report: &Report) -> Option<String> {
    let server_size = report.server_size.as_ref()?;
    let size = server_size.size;
    Some(match &server_size.group {
        HeldTo::Nothing(_) => format!("{size}, not held to it"),
        HeldTo::Group { figures, .. } => {
            let memory = figures.as_ref().map(|figures| memory(size, figures) + ", ");
            let (memory, kills) = (memory.unwrap_or_default(), server_size.kills);
            format!("{size}: {memory}OOM kills {kills}{}", below(server_size))
        }
    })
}

fn memory(size: MachineSize, figures: &GroupFigures) -> String {
    let peak = match figures.peak {
        Some(peak) => {
            format!("max {:.2} of {} GiB, page cache included", as_gib(peak), size.gibibytes())
        }
        None => format!("limit {} GiB, no peak (the kernel keeps none)", size.gibibytes()),
    };
    match figures.limit_hits {
        None | Some(0) => peak,
        Some(hits) => format!("{peak}, {hits}x at the limit"),
    }
}

fn kills(server_size: &ServerSize) -> String {
    let named = server_size.killed.iter().map(|it| format!("{} (pid {})", it.class, it.pid));
    let named: Vec<String> = named.collect();
    let at_size = match named.is_empty() {
        true => server_size.kills.to_string(),
        false => format!("{}: {}", server_size.kills, named.join(", ")),
    };
    at_size + &below(server_size)
}

/// Clause on the processes that were killed below the size; empty without any.
fn below(server_size: &ServerSize) -> String {
    match server_size.kills_below_size {
        0 => String::new(),
        kills => format!("; {kills} below the size"),
    }
}

fn cpu(cpus: &CpuLimit, figures: Option<&GroupFigures>) -> String {
    let limit = match cpus {
        CpuLimit::None(reason) => return format!("not limited: {reason}"),
        CpuLimit::Cpus(1) => "at most 1 CPU".to_owned(),
        CpuLimit::Cpus(cpus) => format!("at most {cpus} CPUs"),
    };
    let throttled =
        figures.and_then(|it| Some((it.throttled?, it.throttled_periods?, it.cpu_periods?)));
    match throttled {
        None => limit,
        Some((time, throttled, periods)) => format!(
            "{limit}; quota used up in {throttled} of {periods} periods, {:.1} s of waiting",
            time.as_secs_f64()
        ),
    }
}
