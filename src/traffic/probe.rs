//! Health probe: requests `/api/health` at a fixed rate (open loop).
//!
//! Open loop: a request is sent at its scheduled time, whether or not earlier responses have
//! arrived. Latency counts from the scheduled time, so if the server stalls for 10 s, all
//! requests of these 10 s show it.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::iteration::Iteration;
use super::segment::EndCondition;
use super::{ScenarioContext, StopSignal, TrafficError};
use crate::api::HealthPolicy;
use crate::plan::LoadPlan;
use crate::record::outcome::{Ended, SegmentOutcome};

/// Sends health requests from the first iteration of the load until all other scenarios have
/// ended.
pub(super) async fn run(
    context: &ScenarioContext,
    plan: &LoadPlan,
    stop: &StopSignal,
    limit: Instant,
) -> Result<(Vec<SegmentOutcome>, Ended), TrafficError> {
    // The other scenarios end within their time limits, which started at about the same time
    // as this one. The last request may take up to its own timeout after that.
    let end = EndCondition { stop, limit: limit + HealthPolicy::PROBE.timeout };
    if !context.barrier.wait(0, end).await? {
        return Ok((Vec::new(), Ended::Stopped));
    }
    let mut outcome = SegmentOutcome::begin(context.timeline.now(), 0);
    let mut schedule = interval(Duration::from_secs(1) / plan.probe_rate);
    // Requests that were missed are sent late instead of left out.
    schedule.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut requests = JoinSet::new();
    let mut next_check = Instant::now();
    let ended = loop {
        tokio::select! {
            // In this order: overdue requests do not delay the end, nor do responses delay
            // requests.
            biased;
            () = end.reached() => {
                break if stop.is_requested() { Ended::Stopped } else { Ended::TimedOut };
            }
            scheduled = schedule.tick() => {
                outcome.send_lateness.record(scheduled.elapsed());
                outcome.scheduled += 1;
                requests.spawn(send(Arc::clone(&context.client), scheduled));
                if Instant::now() >= next_check {
                    // The check reads files, so it is not made for each request.
                    next_check = Instant::now() + Duration::from_millis(200);
                    if context.barrier.all_have_ended() {
                        break Ended::Finished;
                    }
                }
            }
            Some(finished) = requests.join_next() => record(finished, &mut outcome),
        }
    };
    // Otherwise requests without a response stay scheduled and not completed.
    if ended == Ended::Finished {
        while let Some(finished) = requests.join_next().await {
            record(finished, &mut outcome);
        }
    }
    outcome.ended = context.timeline.now();
    Ok((vec![outcome], ended))
}

async fn send(client: Arc<crate::api::ApiClient>, scheduled: Instant) -> (Iteration, Duration) {
    let mut iteration = Iteration::default();
    if let Err(failure) = client.health(HealthPolicy::PROBE).await {
        iteration.fail(failure);
    }
    (iteration, scheduled.elapsed())
}

fn record(
    finished: Result<(Iteration, Duration), tokio::task::JoinError>,
    outcome: &mut SegmentOutcome,
) {
    // A request whose task panicked is scheduled but not completed, which the report finds.
    if let Ok((iteration, duration)) = finished {
        iteration.add_to(outcome, duration);
    }
}
