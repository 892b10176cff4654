//! Where scenario processes wait for one another before each iteration.
//!
//! A file in the run directory says "I am here"; who sees all of them starts.
//! Files need no server near the measured thing, and a process that dies takes
//! nobody with it: whoever has ended, or is gone, is not waited for.
//!
//! Where Groups of scenarios are loaded one after the other, all are here from the
//! beginning, and each waits until the coordinator says that its group may start.

use std::path::PathBuf;
use std::time::Duration;

use super::segment::Until;
use super::stop::Stop;
use super::{GLANCE, TrafficError};
use crate::ids::ProcessIdentity;
use crate::plan::{LoadPlan, PlannedScenario};
use crate::record::{RunDir, read_json, write_json};
use crate::scenario::{ScenarioId, ScenarioKind};

/// A scenario whose process has not shown up by then never will.
const SHOW_UP_WITHIN: Duration = Duration::from_secs(60);

/// The start line of one run.
#[derive(Clone, Debug)]
pub(super) struct Barrier {
    run: RunDir,
    runners: Vec<PlannedScenario>,
    groups_are_sequential: bool,
}

impl Barrier {
    pub(super) fn of(run: &RunDir, plan: &LoadPlan) -> Self {
        let runners = plan
            .scenarios
            .iter()
            .copied()
            .filter(|scenario| scenario.id.kind() != ScenarioKind::Probe)
            .collect();
        Self { run: run.clone(), runners, groups_are_sequential: plan.phase_peaks }
    }

    /// Says "here", and waits until its group may start. Returns false when it was
    /// stopped before that.
    pub(super) async fn wait_for_group(
        &self,
        me: ScenarioId,
        stop: &Stop,
    ) -> Result<bool, TrafficError> {
        let Some(group) = me.group().filter(|_| self.groups_are_sequential) else {
            return Ok(true);
        };
        if let Some(identity) = ProcessIdentity::current() {
            write_json(&self.place(me, 0), &identity)?;
        }
        while !self.run.group_start(group).exists() {
            tokio::select! {
                () = tokio::time::sleep(GLANCE) => {}
                () = stop.asked_for() => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Says "here" for a iteration and waits until all who still can are. Returns
    /// false when it was stopped before that.
    pub(super) async fn meet(
        &self,
        me: ScenarioId,
        iteration: u32,
        until: Until<'_>,
    ) -> Result<bool, TrafficError> {
        if let Some(identity) = ProcessIdentity::current() {
            write_json(&self.place(me, iteration), &identity)?;
        }
        let mine = |runner: ScenarioId| !self.groups_are_sequential || runner.group() == me.group();
        self.wait_for_those(mine, iteration, until).await
    }

    /// Waits until all are here for a iteration, without taking part.
    pub(super) async fn wait_for(
        &self,
        iteration: u32,
        until: Until<'_>,
    ) -> Result<bool, TrafficError> {
        self.wait_for_those(|_| true, iteration, until).await
    }

    async fn wait_for_those(
        &self,
        matters: impl Fn(ScenarioId) -> bool,
        iteration: u32,
        until: Until<'_>,
    ) -> Result<bool, TrafficError> {
        let patience = tokio::time::Instant::now() + SHOW_UP_WITHIN;
        while !self.all_settled(iteration, |runner| {
            !matters(runner)
                || self.is_here(runner, iteration)
                || self.has_ended(runner)
                || (tokio::time::Instant::now() > patience && !self.is_here(runner, 0))
        }) {
            tokio::select! {
                () = tokio::time::sleep(GLANCE) => {}
                () = until.over() => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether every scenario that came to the line has ended.
    pub(super) fn all_have_ended(&self) -> bool {
        self.all_settled(0, |runner| self.has_ended(runner) || !self.is_here(runner, 0))
    }

    /// Whether all are settled that take part in a iteration.
    fn all_settled(&self, iteration: u32, settled: impl Fn(ScenarioId) -> bool) -> bool {
        let mut taking_part = self.runners.iter().filter(|runner| iteration < runner.iterations);
        taking_part.all(|runner| settled(runner.id))
    }

    fn is_here(&self, runner: ScenarioId, iteration: u32) -> bool {
        self.place(runner, iteration).exists()
    }

    fn has_ended(&self, runner: ScenarioId) -> bool {
        has_ended(&self.run, runner)
    }

    fn place(&self, runner: ScenarioId, iteration: u32) -> PathBuf {
        place(&self.run, runner, iteration)
    }
}

/// Whether a scenario of a run has ended: its outcome is there, or its process is not.
pub fn has_ended(run: &RunDir, runner: ScenarioId) -> bool {
    if run.outcome(runner).exists() {
        return true;
    }
    let process: Option<ProcessIdentity> =
        read_json(&place(run, runner, 0), "process identity").ok();
    process.is_some_and(|process| !process.is_alive())
}

fn place(run: &RunDir, runner: ScenarioId, iteration: u32) -> PathBuf {
    run.barrier().join(format!("{iteration}-{}.json", runner.file_stem()))
}
