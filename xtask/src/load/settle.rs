//! Waiting until the server is at rest.
//!
//! A server that answers is not yet at rest: the executors of its daemons, and its
//! controllers, go on importing SkyPilot for many seconds. A baseline taken then
//! is none. The same goes for executors that the end of a load leaves half-way:
//! their peak is still to come.

use std::time::{Duration, Instant};

use anyhow::Result;
use skyload::class::ProcessClass;
use skyload::marks::Unrest;
use skyload::plan::LoadPlan;
use skyload::run_dir::RunDir;
use skyload::sample::Tick;

use super::watch::Watch;
use crate::profiler::last_ticks;
use crate::progress::Step;

/// The server must be at rest for as long as this.
const AT_REST_FOR: Duration = Duration::from_secs(2);

/// Above this use of all CPUs, in percent, something is going on.
const BUSY: f32 = 50.0;

/// Waits until the server is at rest, at most as long as the plan allows. Returns
/// what kept it busy if it did not come to rest.
pub(super) fn wait(
    watch: &mut Watch<'_>,
    plan: &LoadPlan,
    run: &RunDir,
    step: &Step,
) -> Result<Option<Unrest>> {
    let end = Instant::now() + plan.settle;
    let mut quiet_since = Instant::now();
    loop {
        if watch.look()?.is_some() {
            return Ok(None);
        }
        let busy = what_is_going_on(&last_ticks(&run.samples()));
        match &busy {
            Some(what) => {
                quiet_since = Instant::now();
                step.update(what.to_string());
            }
            None if quiet_since.elapsed() >= AT_REST_FOR => return Ok(None),
            None => {}
        }
        if Instant::now() >= end {
            return Ok(busy);
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn what_is_going_on(ticks: &[Tick]) -> Option<Unrest> {
    let Some(latest) = ticks.last() else { return Some(Unrest::NoFigures) };
    if let Some(starting) = latest.classes.get(&ProcessClass::Starting) {
        return Some(Unrest::Starting(starting.count));
    }
    let cpu: Vec<f32> =
        ticks.iter().filter_map(|tick| tick.system.map(|system| system.cpu_percent)).collect();
    let busiest = cpu.into_iter().fold(0.0, f32::max);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    (busiest > BUSY).then_some(Unrest::Busy(busiest.round() as u32))
}
