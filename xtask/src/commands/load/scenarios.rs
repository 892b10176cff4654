//! The load itself: all scenarios at once, or one family of them after the other.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use skyload::plan::LoadPlan;
use skyload::poll;
use skyload::record::RunDir;
use skyload::record::events::{Event, StopReason};
use skyload::record::profile::{Phase, Window};
use skyload::scenario::Group;
use skyload::traffic;
use skyload::units::{ByteSize, as_gib};

use super::phases::{begin_window, state};
use super::watch::{GLANCE, Watch};
use crate::nextest::{LoadProcess, Tests};
use crate::profiler::last_ticks;
use crate::progress::{Progress, Step};

/// Runs all scenarios of the plan. A reason to stop ends them.
pub(super) fn load(
    watch: &mut Watch<'_>,
    tests: &Tests,
    plan: &LoadPlan,
    run: &RunDir,
    progress: Progress,
) -> Result<()> {
    let families = plan.groups();
    let step = progress.step(match families.len() {
        0 => format!("Load, {} scenarios at once", plan.scenarios.len()),
        count => format!("Load, {} scenarios in {count} families", plan.scenarios.len()),
    });
    watch.marks.note(Event::PhaseBegan(Phase::Load))?;
    let mut load = Load { process: tests.start_load(plan, run)?, plan, run, step: &step };
    let mut stopped = None;
    for family in families {
        stopped = load.take_turn(watch, family)?;
        if stopped.is_some() {
            break;
        }
    }
    if stopped.is_none() {
        stopped = load.wait(watch, |_, _| false)?;
    }
    let Load { mut process, .. } = load;
    if let Some(reason) = stopped {
        step.update(format!("stopping: {}", state(Some(reason))));
        process.stop();
    }
    process.finish()?;
    step.done(state(stopped));
    Ok(())
}

/// Scenarios under way.
struct Load<'a> {
    process: LoadProcess,
    plan: &'a LoadPlan,
    run: &'a RunDir,
    step: &'a Step,
}

impl Load<'_> {
    /// Lets one family be loaded, and waits for its end.
    fn take_turn(&mut self, watch: &mut Watch<'_>, family: Group) -> Result<Option<StopReason>> {
        begin_window(watch, self.plan, Window::Load(family))?;
        watch.marks.note(Event::GroupBegan(family))?;
        let turn = self.run.turn(family);
        fs::write(&turn, "").with_context(|| format!("writing `{}`", turn.display()))?;
        // Scenarios keep this limit themselves; one that cannot is not waited for.
        let members =
            || self.plan.scenarios.iter().filter(|scenario| scenario.id.group() == Some(family));
        let longest = members().map(|scenario| self.plan.time_limit(scenario.id)).max();
        let limit = Instant::now() + longest.unwrap_or_default() + Duration::from_secs(60);
        self.wait(watch, |plan, run| {
            let members =
                plan.scenarios.iter().filter(|scenario| scenario.id.group() == Some(family));
            members.into_iter().all(|scenario| traffic::has_ended(run, scenario.id))
                || Instant::now() >= limit
        })
    }

    /// Waits until it is `over`, all scenarios have ended, or there is a reason to stop.
    fn wait(
        &mut self,
        watch: &mut Watch<'_>,
        over: impl Fn(&LoadPlan, &RunDir) -> bool,
    ) -> Result<Option<StopReason>> {
        let mut next_line = Instant::now();
        poll::until(GLANCE, || {
            let has_ended = self.process.has_ended()? || over(self.plan, self.run);
            let stopped = watch.look()?;
            if has_ended || stopped.is_some() {
                return Ok(Some(stopped));
            }
            if Instant::now() >= next_line {
                next_line = Instant::now() + Duration::from_secs(1);
                say_how_far(self.step, self.plan, self.run);
            }
            Ok(None)
        })
    }
}

fn say_how_far(step: &Step, plan: &LoadPlan, run: &RunDir) {
    let ended = plan.scenarios.iter().filter(|scenario| run.outcome(scenario.id).exists()).count();
    let mut text = format!("{ended} of {} ended", plan.scenarios.len());
    if let Some(tick) = last_ticks(&run.samples()).last() {
        let processes: u32 = tick.classes.values().map(|class| class.count).sum();
        let rss: u64 = tick.classes.values().map(|class| class.rss_sum.as_u64()).sum();
        text += &format!("; server {processes} processes, {:.1} GiB", as_gib(ByteSize(rss)));
    }
    step.update(text);
}
