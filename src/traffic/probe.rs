//! Health probe: requests `/api/health` at a fixed rate (open loop).
//!
//! Open loop: a request is sent at its scheduled time, whether or not earlier responses have
//! arrived. Latency counts from the scheduled time, so if the server stalls for 10 s, all
//! requests of these 10 s show it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::breach::BreachWatch;
use super::engine::{EndCondition, Load, OpenLoad, Segments};
use super::iteration::{FailureClock, Iteration, add_to_segment};
use super::{ScenarioContext, StopSignal, TrafficError};
use crate::api::HealthPolicy;
use crate::record::outcome::{Ended, SegmentOutcome};

/// Interval at which the probe checks whether the other scenarios have ended.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

/// Sends health requests from the first iteration of the load until all other scenarios have
/// ended.
pub(super) async fn run(
    context: &Rc<ScenarioContext>,
    stop: &StopSignal,
    limit: tokio::time::Instant,
) -> Result<(Vec<SegmentOutcome>, Ended), TrafficError> {
    // The other scenarios end within their time limits, which started at about the same time
    // as this one. The last request may take up to its own timeout after that.
    let end = EndCondition { stop, limit: limit + HealthPolicy::PROBE.timeout };
    if !context.barrier.wait(0, end).await? {
        return Ok((Vec::new(), Ended::Stopped));
    }
    let watch = BreachWatch::of(context);
    let interval = Duration::from_secs(1) / context.plan.probe_rate;
    let others = Rc::clone(context);
    let driver = OpenLoad {
        arrivals: (0..).map(move |number| interval * number),
        max_in_flight: u32::MAX,
        until: async move {
            // Not at once: the shortest load has a health request, too.
            tokio::time::sleep(CHECK_INTERVAL).await;
            while !others.barrier.all_have_ended() {
                tokio::time::sleep(CHECK_INTERVAL).await;
            }
        },
    };
    let load = Load::new(driver, Segments::single(0), watch.clone(), context.activity.clone());
    let client = Arc::clone(&context.client);
    let clock = FailureClock::Now(context.timeline);
    let send = move |_| {
        let client = Arc::clone(&client);
        async move {
            let mut iteration = Iteration::on(None, clock);
            if let Err(failure) = client.health(HealthPolicy::PROBE).await {
                iteration.fail(failure);
            }
            iteration
        }
    };
    let run = load.run(&context.timeline, end, send, add_to_segment);
    let ended = run.await;
    watch.finish()?;
    Ok(ended)
}
