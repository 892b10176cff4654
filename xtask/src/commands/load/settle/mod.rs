//! Wait for the server to settle, that is to become idle.
//!
//! A server that responds is not yet idle: the executors of its daemons import SkyPilot for many
//! seconds, and its jobs controllers start some 15 seconds later. A baseline taken before is too
//! low. After the load, executors may still be importing SkyPilot, and their peak is yet to come.

mod activity;

use std::time::{Duration, Instant};

use anyhow::Result;
use host::progress::Step;
use skyload::class::ProcessClass;
use skyload::fact::Fact;
use skyload::plan::{LoadPlan, Speed};
use skyload::poll;
use skyload::record::events::{BusyProcess, Unsettled};
use skyload::record::profile::Sample;

use super::active::ActiveRun;
use super::monitor::Monitor;
use crate::profiler::last_samples;
use activity::{Activity, Usage};

/// Interval between checks whether the server is idle.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Time for which the server must be idle without interruption.
const IDLE_FOR: Duration = Duration::from_secs(2);

/// CPU use of the whole server, in percent of one CPU, above which it is not idle on the reference
/// machine. (An import uses a whole CPU.)
const BUSY: f32 = 30.0;

/// CPU use of the whole server, in percent of one CPU, above which it is not idle on any machine.
const MAX_BUSY: f32 = 80.0;

/// Time after a server's start at which it starts its jobs controllers in consolidation mode
/// (SkyPilot's `sky/jobs/managed_job_refresh_thread.py` first waits for a lock).
const CONTROLLERS_AFTER: Duration = Duration::from_secs(15);

/// Result of waiting for the server to settle.
pub(super) struct SettleResult {
    /// Reason why the server is still not idle; `None` if it is.
    pub(super) unsettled: Option<Unsettled>,
    /// Processes outside of the run that keep the machine busy.
    pub(super) others: Vec<BusyProcess>,
}

/// Point of a run at which the server is to settle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SettlePoint {
    /// Start of the server.
    BeforeBaseline,
    /// End of load and teardown.
    AfterLoad,
}

/// Waits until the server is idle, at most for the plan's settle timeout.
pub(super) fn wait(
    run: &mut ActiveRun<'_>,
    point: SettlePoint,
    step: &Step,
) -> Result<SettleResult> {
    let (plan, directory, monitor) = (run.plan, run.directory, &mut run.monitor);
    let Some(addresses) = monitor.server.addresses else {
        return Ok(SettleResult { unsettled: None, others: Vec::new() });
    };
    let mut activity = Activity::begin(addresses.root, &directory.id())?;
    let mut controllers = match point {
        SettlePoint::BeforeBaseline => Controllers::expected_by(monitor, plan),
        SettlePoint::AfterLoad => Controllers { until: None },
    };
    let busy = busy_above(plan);
    let mut idle_since = Instant::now();
    let (mut usage, mut unsettled) = (None, None);
    poll::during(plan.settle_timeout, POLL_INTERVAL, || {
        if monitor.stop_reason()?.is_some() {
            // The wait was cut off, so a reason would not tell about the server.
            (usage, unsettled) = (None, None);
            return Ok(Some(()));
        }
        // CPU use is measured over a longer window than the interval of this loop.
        usage = activity.measure().or(usage.take());
        let samples = last_samples(&directory.samples());
        if let Some(profiler) = &mut monitor.profiler {
            // For the next look. A profiler that has exited is found by `stop_reason`.
            _ = profiler.flush();
        }
        unsettled = reason_not_idle(&samples, usage.as_ref(), busy, &mut controllers);
        if let Some(reason) = &unsettled {
            idle_since = Instant::now();
            step.update(reason.to_string());
        }
        let has_been_idle =
            unsettled.is_none() && usage.is_some() && idle_since.elapsed() >= IDLE_FOR;
        anyhow::Ok(has_been_idle.then_some(()))
    })?;
    Ok(SettleResult { unsettled, others: usage.map(|usage| usage.others).unwrap_or_default() })
}

/// CPU use in percent of one CPU above which a server on this machine is not idle. An idle server
/// has some periodic work, which takes more CPU time on a slower machine.
#[expect(clippy::cast_possible_truncation, reason = "at most 80")]
fn busy_above(plan: &LoadPlan) -> f32 {
    let factor = plan.speed.map_or(1.0, Speed::factor).max(1.0);
    (f64::from(BUSY) * factor).min(f64::from(MAX_BUSY)) as f32
}

/// Jobs controllers that the server may still start.
struct Controllers {
    /// Time after which no start is expected; `None` if the server starts none, or has done so.
    until: Option<Instant>,
}

impl Controllers {
    fn expected_by(monitor: &Monitor<'_>, plan: &LoadPlan) -> Self {
        // Controllers import SkyPilot, which takes longer on a slower machine. Without a measured
        // speed, none are expected.
        let speed = plan.speed.filter(|_| monitor.server.server.consolidation == Fact::Yes);
        Self { until: speed.map(|speed| Instant::now() + CONTROLLERS_AFTER + 3 * speed.elapsed) }
    }

    fn are_expected(&mut self, sample: &Sample) -> bool {
        if sample.classes.contains_key(&ProcessClass::JobsController) {
            self.until = None;
        }
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

fn reason_not_idle(
    samples: &[Sample],
    usage: Option<&Usage>,
    busy: f32,
    controllers: &mut Controllers,
) -> Option<Unsettled> {
    // The first sample of a new profiler takes a moment.
    let Some(latest) = samples.last() else { return Some(Unsettled::NoFigures) };
    if let Some(starting) = latest.classes.get(&ProcessClass::StartingExecutor) {
        return Some(Unsettled::Starting(starting.count));
    }
    if let Some(usage) = usage.filter(|usage| usage.server > busy) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a percentage"
        )]
        return Some(Unsettled::ServerBusy(usage.server.round() as u32));
    }
    controllers.are_expected(latest).then_some(Unsettled::NoControllersYet)
}
