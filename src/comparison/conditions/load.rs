//! Conditions of the load: what the plan and its request ask for.

use std::collections::BTreeSet;

use super::{Condition, THRESHOLDS, known, list, yes_or_no};
use crate::infrastructure::{KubernetesSize, LocalInfra};
use crate::metric::Threshold;
use crate::plan::{LoadPlan, PlannedScenario, ServerTarget};
use crate::record::request::LoadRequest;

/// Conditions of the load, which the plan and its request have before the run.
pub(in crate::comparison) fn of_plan(
    plan: &LoadPlan,
    request: Option<&LoadRequest>,
) -> Vec<Condition> {
    let scenario = |one: &PlannedScenario| {
        let concurrency = match one.concurrency < one.users {
            true => format!(" (concurrency {})", one.concurrency),
            false => String::new(),
        };
        let mix = one.mix.as_ref().map_or_else(String::new, |mix| format!(" {mix}"));
        let shape = match one.shape.iterations() {
            Some(iterations) => format!("x{iterations}"),
            None => format!("({})", one.shape),
        };
        format!("{} {} {shape}{concurrency}{mix}", one.id, one.users)
    };
    let server = match &plan.server {
        ServerTarget::Isolated { deploy: false } => "isolated".to_owned(),
        ServerTarget::Isolated { deploy: true } => "isolated, in deploy mode".to_owned(),
        ServerTarget::System => "local".to_owned(),
        ServerTarget::Remote(url) => url.to_string(),
    };
    let infras = plan.infrastructure.names();
    let on_some_infras = |one: &PlannedScenario| {
        let is_some = !one.infras.is_empty() && one.infras.len() < infras.len();
        is_some.then(|| format!("{} on {}", one.id, one.infras.join(" and ")))
    };
    let duration = |duration| humantime::format_duration(duration).to_string();
    let interval_of_metrics = plan.server_metrics.as_ref().map(|metrics| metrics.interval);
    vec![
        list("scenarios", plan.scenarios.iter().map(scenario)),
        known("server", server),
        list("stated size", plan.size),
        list("executor pools", (!plan.workers.is_none()).then_some(plan.workers)),
        list("infra", &infras),
        list("scenarios on some of the infras", plan.scenarios.iter().filter_map(on_some_infras)),
        list("emulated Kubernetes", size_of_kubernetes(plan)),
        list("cancellations", plan.scenarios.iter().filter_map(|it| it.cancellations.as_ref())),
        list("graceful stop", plan.scenarios.iter().filter_map(graceful_stop)),
        known("scenario timeout", duration(plan.scenario_timeout)),
        known("seed", plan.seed),
        known("ramp", ramp(plan, request)),
        known("baseline", duration(plan.baseline)),
        known("cooldown", duration(plan.cooldown)),
        known("health probe", format!("{}/s", plan.probe_rate)),
        list("hash of the script", plan.script.as_ref().map(|script| &script.sha256)),
        list("timeout of the script", plan.script.as_ref().map(|script| duration(script.timeout))),
        yes_or_no("--async", plan.run_async),
        yes_or_no("phase peaks", plan.phase_peaks),
        yes_or_no("distinct users", plan.distinct_users),
        yes_or_no("reading of the server's own metrics", plan.server_metrics.is_some()),
        list("interval of the server's own metrics", interval_of_metrics.map(duration)),
        known("sampling interval", duration(plan.profiler_interval)),
        list(THRESHOLDS, thresholds(plan)),
        list("thresholds that end the load", thresholds_that_end_the_load(plan)),
    ]
}

/// Size of emulated Kubernetes, if anything is requested of it.
fn size_of_kubernetes(plan: &LoadPlan) -> Option<KubernetesSize> {
    let emulated = LocalInfra::EmulatedKubernetes.infra();
    let is_used = plan.infrastructure.names().iter().any(|infra| infra == emulated);
    is_used.then_some(plan.kubernetes_size)
}

/// Time that running iterations of a scenario get at the end; `None` of a burst.
fn graceful_stop(planned: &PlannedScenario) -> Option<String> {
    let stop = planned.shape.timed()?.graceful_stop;
    Some(format!("{} {}", planned.id, humantime::format_duration(stop)))
}

/// Thresholds by which a run is judged, in an order of their own: that of flags is no condition.
fn thresholds(plan: &LoadPlan) -> BTreeSet<String> {
    plan.thresholds.iter().map(ToString::to_string).collect()
}

fn thresholds_that_end_the_load(plan: &LoadPlan) -> BTreeSet<String> {
    let text = |threshold: &Threshold| {
        let after = humantime::format_duration(threshold.abort?.after);
        Some(format!("{threshold} after {after}"))
    };
    plan.thresholds.iter().filter_map(text).collect()
}

/// Ramp as it was asked for: an automatic one depends on the machine's speed at that moment.
fn ramp(plan: &LoadPlan, request: Option<&LoadRequest>) -> String {
    let asked = request.and_then(|request| request.ramp.clone());
    let of_plan = if plan.ramp.is_zero() { "none" } else { "automatic" };
    asked.unwrap_or_else(|| of_plan.to_owned())
}
