//! Stated size of a plan's server: announcement, and check whether its SkyPilot can be sized so.

use host::progress::Progress;
use skyload::env;
use skyload::plan::{LoadPlan, ServerTarget, UsageErrors};

use crate::server::why_without_cpus;
use crate::sky::SkyFacts;

/// Checks that the SkyPilot of a plan reads the variables by which skyload sizes it.
pub(super) fn check(plan: &LoadPlan, sky: &SkyFacts) -> Result<(), UsageErrors> {
    let mut errors = Vec::new();
    let version = &sky.version;
    if plan.size.is_some() && !sky.reads_size {
        errors.push(format!(
            "--size: SkyPilot {version} does not read {} and {}\n  hint: use a newer release with \
             --sky",
            env::POD_CPUS,
            env::POD_MEMORY_GIB
        ));
    }
    if !plan.workers.is_none() && !sky.pins_workers {
        errors.push(format!(
            "--workers: SkyPilot {version} does not read {} and {}\n  hint: use `--sky nightly`; the \
             first build known to read them is the nightly 1.0.0.dev20261027",
            env::LONG_WORKERS,
            env::SHORT_WORKERS
        ));
    }
    if errors.is_empty() { Ok(()) } else { Err(UsageErrors(errors)) }
}

/// Prints the stated size of the server, and pinned pools.
pub(super) fn announce(plan: &LoadPlan, progress: Progress) {
    if let Some(size) = plan.size {
        let mode = match plan.server {
            ServerTarget::Isolated { deploy: false } => "local",
            _ => "deploy",
        };
        let without_cpus = why_without_cpus(size).map_or_else(String::new, |reason| {
            format!("; CPUs only sized, not held, since {reason}")
        });
        progress.note(format!("Server size: {size}, {mode} mode{without_cpus}"));
    }
    if !plan.workers.is_none() {
        progress.note(format!("Executor pools: {}", plan.workers));
    }
}
