//! Load phase: all scenarios concurrently, or one group of them after the other.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use host::progress::Step;
use skyload::plan::LoadPlan;
use skyload::poll;
use skyload::record::RunDir;
use skyload::record::events::{Event, StopReason};
use skyload::record::profile::{Phase, Window};
use skyload::scenario::Group;
use skyload::traffic;
use skyload::units::{ByteSize, as_gib};

use super::active::ActiveRun;
use super::monitor::{POLL_INTERVAL, in_words};
use crate::nextest::LoadProcess;
use crate::profiler::last_samples;

/// Runs all scenarios of the plan. A reason to stop ends them.
pub(super) fn load(run: &mut ActiveRun<'_>) -> Result<()> {
    let plan = run.plan;
    let groups = plan.groups();
    let what = match groups.len() {
        0 => "Load".to_owned(),
        count => format!("Load in {count} groups"),
    };
    let step = match plan.estimate().and_then(|estimate| estimate.load) {
        Some(estimate) => run.progress.step_of(what, estimate),
        None => run.progress.step(what),
    };
    run.watch.events.note(Event::PhaseBegan(Phase::Load))?;
    let mut load = Load { process: run.tests.start_load(plan, run.directory)?, run, step: &step };
    let mut stopped = None;
    for group in groups {
        stopped = load.load_group(group)?;
        if stopped.is_some() {
            break;
        }
    }
    if stopped.is_none() {
        stopped = load.wait(|_| false)?;
    }
    let Load { mut process, .. } = load;
    if let Some(reason) = stopped {
        step.update(format!("stopping: {}", in_words(Some(reason))));
        process.stop();
    }
    process.finish()?;
    step.done(in_words(stopped));
    Ok(())
}

/// Scenarios under way.
struct Load<'a, 'run> {
    process: LoadProcess,
    run: &'a mut ActiveRun<'run>,
    step: &'a Step,
}

impl Load<'_, '_> {
    /// Lets one group be loaded, and waits for its end.
    fn load_group(&mut self, group: Group) -> Result<Option<StopReason>> {
        let plan = self.run.plan;
        self.run.begin_window(Window::Load(group))?;
        self.run.watch.events.note(Event::GroupBegan(group))?;
        let start = self.run.directory.group_start(group);
        fs::write(&start, "").with_context(|| format!("writing `{}`", start.display()))?;
        // Scenarios keep this limit themselves; one that cannot is not waited for.
        let members =
            || plan.scenarios.iter().filter(|scenario| scenario.id.group() == Some(group));
        let longest = members().map(|scenario| plan.time_limit(scenario.id)).max();
        let limit = Instant::now() + longest.unwrap_or_default() + Duration::from_secs(60);
        self.wait(|directory| {
            members().all(|scenario| traffic::has_ended(directory, scenario.id))
                || Instant::now() >= limit
        })
    }

    /// Waits until it is `over`, all scenarios have ended, or there is a reason to stop.
    fn wait(&mut self, over: impl Fn(&RunDir) -> bool) -> Result<Option<StopReason>> {
        let (plan, directory) = (self.run.plan, self.run.directory);
        let mut next_line = Instant::now();
        poll::until(POLL_INTERVAL, || {
            let has_ended = self.process.has_ended()? || over(directory);
            let stopped = self.run.watch.look()?;
            if has_ended || stopped.is_some() {
                return Ok(Some(stopped));
            }
            if Instant::now() >= next_line {
                next_line = Instant::now() + Duration::from_secs(1);
                show_progress(self.step, plan, directory);
            }
            Ok(None)
        })
    }
}

fn show_progress(step: &Step, plan: &LoadPlan, run: &RunDir) {
    let ended = plan.scenarios.iter().filter(|scenario| run.outcome(scenario.id).exists()).count();
    let done = format!("{ended} of {} scenarios done", plan.scenarios.len());
    let mut text = done.clone();
    if let Some(tick) = last_samples(&run.samples()).last() {
        let processes: u32 = tick.classes.values().map(|class| class.count).sum();
        let rss: u64 = tick.classes.values().map(|class| class.rss_sum.as_u64()).sum();
        text += &format!("; server {processes} processes, {:.1} GiB RSS", as_gib(ByteSize(rss)));
    }
    step.reach(&done, text);
}
