//! CPU time per request and peak memory of HTTP clients, on the static server.

use std::time::Duration;

use anyhow::Result;
use host::progress::Progress;
use serde::{Deserialize, Serialize};

use super::http_client::{ClientKind, HttpClient, Requests, run_skyload};
use super::measured::ProcessCost;
use super::plan::{ClientPlan, in_order};
use super::scenario::Target;
use crate::statistics::Micros;

/// Requests of one client in one round, and what they cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RequestMeasurement {
    pub(crate) round: u32,
    pub(crate) client: ClientKind,
    pub(crate) requests: Requests,
    pub(crate) cost: ProcessCost,
}

impl RequestMeasurement {
    /// CPU time per request, start-up of the process included.
    pub(crate) fn micros_per_request(&self) -> Option<Micros> {
        Micros::each(self.cost.cpu, self.requests.succeeded + self.requests.failed)
    }
}

/// Memory of skyload after a load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MemoryMeasurement {
    /// Number of iterations of the load.
    pub(crate) iterations: u64,
    pub(crate) cost: ProcessCost,
}

/// Measures each client once.
pub(crate) fn measure_round(
    plan: &ClientPlan,
    clients: &[HttpClient],
    target: &Target,
    round: u32,
    progress: &Progress,
) -> Result<Vec<RequestMeasurement>> {
    let step = progress.step(format!("Round {}/{}: CPU per request", round + 1, plan.rounds));
    let mut measurements = Vec::new();
    for client in in_order(round, clients.iter().collect()) {
        step.update(client.kind.to_string());
        let run = client.run(target, plan.users, plan.window)?;
        measurements.push(RequestMeasurement {
            round,
            client: client.kind,
            requests: run.requests,
            cost: run.cost,
        });
    }
    step.done("measured");
    Ok(measurements)
}

/// Measures the peak memory of skyload after a short load and after a long one.
pub(crate) fn measure_memory(
    plan: &ClientPlan,
    target: &Target,
    progress: &Progress,
) -> Result<[MemoryMeasurement; 2]> {
    let step = progress.step(format!("Memory after {} iterations", plan.long_load));
    let measure = |time: Duration| {
        let run = run_skyload(target, plan.users, time)?;
        let iterations = run.requests.succeeded + run.requests.failed;
        anyhow::Ok(MemoryMeasurement { iterations, cost: run.cost })
    };
    let short = measure(plan.short_load)?;
    let mut time = time_of(plan.long_load, plan.short_load, short.iterations);
    let mut long = measure(time)?;
    // The machine may have become slower.
    while long.iterations < plan.long_load {
        time = time_of(plan.long_load, time, long.iterations);
        long = measure(time)?;
    }
    step.done("measured");
    Ok([short, long])
}

/// Time in which a load has `wanted` iterations and some more, if it had `seen` in `time`.
fn time_of(wanted: u64, time: Duration, seen: u64) -> Duration {
    /// Margin for a machine that becomes slower.
    const MARGIN: f64 = 1.2;
    #[expect(clippy::cast_precision_loss, reason = "counts of iterations are far below 2^52")]
    let ratio = wanted as f64 / seen.max(1) as f64;
    Duration::from_secs(time.mul_f64(ratio * MARGIN).as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_load_lasts_longer_than_its_iterations_took_in_the_short_one() {
        let time = time_of(200_000, Duration::from_millis(500), 2000);
        assert_eq!(time, Duration::from_secs(61));
    }
}
