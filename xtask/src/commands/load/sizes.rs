//! Stated size of a plan's server: announcement, and check whether its SkyPilot can be sized so.

use anyhow::Result;
use host::progress::Progress;
use skyload::env;
use skyload::plan::{LoadPlan, ServerTarget, UsageErrors};

use crate::server::{size_variables, why_without_cpus};
use crate::sky::{SkyInstallation, sizing};

/// Checks that the SkyPilot of a plan reads the variables by which skyload sizes it, and takes the
/// sizes of its pools.
pub(super) fn check(plan: &LoadPlan, sky: &SkyInstallation) -> Result<()> {
    let mut errors = Vec::new();
    let (facts, workers) = (&sky.facts, plan.workers);
    let version = &facts.version;
    if plan.size.is_some() && !facts.reads_size {
        errors.push(format!(
            "--size: SkyPilot {version} does not read {} and {}\n  hint: use a newer release with \
             --sky",
            env::POD_CPUS,
            env::POD_MEMORY_GIB
        ));
    }
    if !workers.is_none() && !facts.pins_workers {
        errors.push(format!(
            "--workers: SkyPilot {version} does not read {} and {}\n  hint: use `--sky nightly`; the \
             first build known to read them is the nightly 1.0.0.dev20261027",
            env::LONG_WORKERS,
            env::SHORT_WORKERS
        ));
    }
    if let Some(python) = sky.python.as_deref().filter(|_| !workers.is_none() && facts.pins_workers)
        && let Some(refusal) = sizing::refusal(python, &size_variables(plan))?
    {
        errors.push(format!("--workers {workers}: SkyPilot {version} refuses it: {refusal}"));
    }
    if errors.is_empty() { Ok(()) } else { Err(UsageErrors(errors).into()) }
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
