//! Waiting until the server is idle.
//!
//! A server that answers is not yet idle: the executors of its daemons import SkyPilot for
//! many seconds, and its jobs controllers begin to do so some 15 seconds later. A baseline
//! taken before that is none. The same goes for executors that the end of a load leaves
//! half-way: their peak is still to come.

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

/// How often it is looked at what goes on.
const EVERY: Duration = Duration::from_millis(250);

/// The server must be idle for as long as this.
const IDLE_FOR: Duration = Duration::from_secs(2);

/// Use of one CPU by the whole server, in percent, from which on it is not idle, on a machine
/// where an import takes what the table of costs says: an import takes all of a CPU that it
/// can get.
const BUSY: f32 = 30.0;

/// More than this is not idle on any machine.
const MOST_BUSY: f32 = 80.0;

/// A server with consolidated jobs starts its controllers this long after itself
/// (`sky/jobs/managed_job_refresh_thread.py` takes a lock first, and waits).
const CONTROLLERS_AFTER: Duration = Duration::from_secs(15);

/// What was seen of the machine while the server became idle.
pub(super) struct Settled {
    /// What keeps the server from being idle, if it is not.
    pub(super) unrest: Option<Unsettled>,
    /// Other processes that keep the machine busy.
    pub(super) others: Vec<BusyProcess>,
}

/// At which point of a run the server is to be idle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    /// It has just been started.
    BeforeBaseline,
    AfterLoad,
}

/// Waits until the server is idle, at most as long as the plan allows.
pub(super) fn wait(run: &mut ActiveRun<'_>, point: Point, step: &Step) -> Result<Settled> {
    let (plan, directory, watch) = (run.plan, run.directory, &mut run.watch);
    let Some(addresses) = watch.server.addresses else {
        return Ok(Settled { unrest: None, others: Vec::new() });
    };
    let mut activity = Activity::begin(addresses.root, &directory.id())?;
    let mut controllers = match point {
        Point::BeforeBaseline => Controllers::expected_by(watch, plan),
        Point::AfterLoad => Controllers { until: None },
    };
    let busy = busy_above(plan);
    let mut idle_since = Instant::now();
    let (mut usage, mut unrest) = (None, None);
    poll::during(plan.settle_timeout, EVERY, || {
        if watch.look()?.is_some() {
            (usage, unrest) = (None, None);
            return Ok(Some(()));
        }
        usage = activity.measure().or(usage.take());
        let ticks = last_samples(&directory.samples());
        unrest = what_is_going_on(&ticks, usage.as_ref(), busy, &mut controllers);
        if let Some(unrest) = &unrest {
            idle_since = Instant::now();
            step.update(unrest.to_string());
        }
        let has_been_idle = unrest.is_none() && usage.is_some() && idle_since.elapsed() >= IDLE_FOR;
        anyhow::Ok(has_been_idle.then_some(()))
    })?;
    Ok(Settled { unrest, others: usage.map(|usage| usage.others).unwrap_or_default() })
}

/// The use of one CPU, in percent, from which on a server on this machine is not idle: a
/// slower one takes longer for the little that there is to do.
#[expect(clippy::cast_possible_truncation, reason = "it is at most 80")]
fn busy_above(plan: &LoadPlan) -> f32 {
    let factor = plan.speed.map_or(1.0, Speed::factor).max(1.0);
    (f64::from(BUSY) * factor).min(f64::from(MOST_BUSY)) as f32
}

/// Whether the server's jobs controllers are still to come.
struct Controllers {
    /// When there will be none any more; `None` for a server that starts none.
    until: Option<Instant>,
}

impl Controllers {
    fn expected_by(watch: &Monitor<'_>, plan: &LoadPlan) -> Self {
        // Their start is an import, as slow as the machine is; a server that imports
        // nothing is none of SkyPilot's, and starts none.
        let speed = plan.speed.filter(|_| watch.server.server.consolidation == Fact::Yes);
        Self { until: speed.map(|speed| Instant::now() + CONTROLLERS_AFTER + 3 * speed.elapsed) }
    }

    fn are_due(&mut self, tick: &Sample) -> bool {
        if tick.classes.contains_key(&ProcessClass::JobsController) {
            self.until = None;
        }
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

fn what_is_going_on(
    ticks: &[Sample],
    usage: Option<&Usage>,
    busy: f32,
    controllers: &mut Controllers,
) -> Option<Unsettled> {
    let Some(latest) = ticks.last() else { return Some(Unsettled::NoFigures) };
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
    controllers.are_due(latest).then_some(Unsettled::NoControllersYet)
}
