//! Health probe: requests `/api/health` at a fixed rate (open loop), however long answers take.
//!
//! It is an open loop: a request is sent when its time has come, whether or not
//! those before it were answered. Latency counts from the scheduled time, so a
//! server that stands still for 10 s shows it in every request of these 10 s.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::iteration::Iteration;
use super::segment::Until;
use super::{Stage, Stop, TrafficError};
use crate::api::HealthPolicy;
use crate::plan::LoadPlan;
use crate::record::outcome::{Ended, SegmentOutcome};

/// Asks from the first segment on, until all other scenarios have ended.
pub(super) async fn watch(
    stage: &Stage,
    plan: &LoadPlan,
    stop: &Stop,
    limit: Instant,
) -> Result<(Vec<SegmentOutcome>, Ended), TrafficError> {
    // The others take at most their limit, which began about when ours did.
    let until = Until { stop, limit: limit + HealthPolicy::PROBE.timeout };
    if !stage.barrier.wait_for(0, until).await? {
        return Ok((Vec::new(), Ended::Stopped));
    }
    let mut outcome = SegmentOutcome::begin(stage.timeline.now(), 0);
    let mut beat = interval(Duration::from_secs(1) / plan.probe_rate);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut asked = JoinSet::new();
    let mut next_look = Instant::now();
    let ended = loop {
        tokio::select! {
            biased;
            () = until.over() => {
                break if stop.is_asked_for() { Ended::Stopped } else { Ended::TimedOut };
            }
            scheduled = beat.tick() => {
                outcome.send_lateness.record(scheduled.elapsed());
                outcome.scheduled += 1;
                asked.spawn(ask(Arc::clone(&stage.client), scheduled));
                if Instant::now() >= next_look {
                    next_look = Instant::now() + Duration::from_millis(200);
                    if stage.barrier.all_have_ended() {
                        break Ended::Finished;
                    }
                }
            }
            Some(answered) = asked.join_next() => record(answered, &mut outcome),
        }
    };
    if ended == Ended::Finished {
        while let Some(answered) = asked.join_next().await {
            record(answered, &mut outcome);
        }
    }
    outcome.ended = stage.timeline.now();
    Ok((vec![outcome], ended))
}

async fn ask(client: Arc<crate::api::ApiClient>, scheduled: Instant) -> (Iteration, Duration) {
    let mut iteration = Iteration::default();
    if let Err(failure) = client.health(HealthPolicy::PROBE).await {
        iteration.fail(failure);
    }
    (iteration, scheduled.elapsed())
}

fn record(
    answered: Result<(Iteration, Duration), tokio::task::JoinError>,
    outcome: &mut SegmentOutcome,
) {
    // A task that panicked is left out of the completed ones, which shows.
    if let Ok((iteration, whole)) = answered {
        iteration.add_to(outcome, whole);
    }
}
