//! Load phase: all scenarios concurrently, or scenario groups sequentially.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use host::progress::Step;
use skyload::live::{Latest, ProfileFollower};
use skyload::plan::LoadPlan;
use skyload::poll;
use skyload::record::RunDir;
use skyload::record::events::{Event, StopReason};
use skyload::record::profile::{Phase, Window};
use skyload::scenario::Group;
use skyload::traffic;
use skyload::units::as_gib;

use super::active::ActiveRun;
use super::monitor::{POLL_INTERVAL, step_result};
use crate::nextest::LoadProcess;

/// Runs all scenarios of the plan, until they end or there is a reason to end the run early.
pub(super) fn load(run: &mut ActiveRun<'_>) -> Result<()> {
    let plan = run.plan;
    let groups = plan.groups();
    let title = match groups.len() {
        0 => "Load".to_owned(),
        count => format!("Load in {count} groups"),
    };
    let step = match plan.estimate().and_then(|estimate| estimate.load) {
        Some(estimate) => run.progress.step_of(title, estimate),
        None => run.progress.step(title),
    };
    run.monitor.events.note(Event::PhaseBegan(Phase::Load))?;
    let mut load = RunningLoad {
        process: run.tests.start_load(plan, run.directory)?,
        profile: ProfileFollower::begin(run.directory.profile()),
        run,
        step: &step,
    };
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
    let RunningLoad { mut process, .. } = load;
    if let Some(reason) = stopped {
        step.update(format!("stopping: {}", step_result(Some(reason))));
        process.stop();
    }
    // The exit status is not used: outcomes tell which scenarios failed.
    process.finish()?;
    step.done(step_result(stopped));
    Ok(())
}

/// Load in progress.
struct RunningLoad<'a, 'run> {
    process: LoadProcess,
    profile: ProfileFollower,
    run: &'a mut ActiveRun<'run>,
    step: &'a Step,
}

impl RunningLoad<'_, '_> {
    /// Starts the load of one group, and waits for its end.
    fn load_group(&mut self, group: Group) -> Result<Option<StopReason>> {
        let plan = self.run.plan;
        self.run.begin_window(Window::Load(group))?;
        self.run.monitor.events.note(Event::GroupBegan(group))?;
        let start = self.run.directory.group_start(group);
        // Scenario processes wait for this file.
        fs::write(&start, "").with_context(|| format!("writing `{}`", start.display()))?;
        // Scenarios stop at their time limit themselves; the margin is for one that hangs.
        let members = || plan.scenarios.iter().filter(|scenario| scenario.group() == Some(group));
        let longest = members().map(|scenario| plan.time_limit(scenario.id)).max();
        let limit = Instant::now() + longest.unwrap_or_default() + Duration::from_secs(60);
        self.wait(|directory| {
            members().all(|scenario| traffic::has_ended(directory, scenario.id))
                || Instant::now() >= limit
        })
    }

    /// Waits until `is_over`, all scenarios have ended, or there is a reason to end early.
    fn wait(&mut self, is_over: impl Fn(&RunDir) -> bool) -> Result<Option<StopReason>> {
        let (plan, directory) = (self.run.plan, self.run.directory);
        let mut next_line = Instant::now();
        poll::until(POLL_INTERVAL, || {
            let has_ended = self.process.has_ended()? || is_over(directory);
            let stopped = self.run.monitor.stop_reason()?;
            if has_ended || stopped.is_some() {
                return Ok(Some(stopped));
            }
            // Reading the outcomes and the new samples at each poll would take CPU from the run.
            if Instant::now() >= next_line {
                next_line = Instant::now() + Duration::from_secs(1);
                self.profile.read_new();
                show_progress(self.step, plan, directory, self.profile.latest());
            }
            Ok(None)
        })
    }
}

fn show_progress(step: &Step, plan: &LoadPlan, run: &RunDir, server: Option<&Latest>) {
    let loads = || plan.scenarios.iter().filter(|one| !one.id.kind().accompanies_load());
    let ended = loads().filter(|scenario| run.outcome(scenario.id).exists()).count();
    let done = match loads().count() {
        // Connections alone are held for their time.
        0 => "connections held".to_owned(),
        all => format!("{ended} of {all} scenarios done"),
    };
    let mut text = done.clone();
    if let Some(server) = server {
        let (processes, rss) = (server.processes(), as_gib(server.rss_sum()));
        text += &format!("; server {processes} processes, {rss:.1} GiB RSS");
    }
    step.reach(&done, text);
}
