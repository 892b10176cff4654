//! Barrier at which scenario processes wait for one another before each iteration.
//!
//! A process arrives by writing a file in the run directory, and passes once the files of all
//! participants exist. Files need no server on the measured machine, and a process that dies
//! does not block the others: scenarios that have ended are not waited for.
//!
//! With `--phase-peaks` groups of scenarios run sequentially. All processes start at the
//! beginning of the load, and each waits until the coordinator starts its group.

use std::path::PathBuf;
use std::time::Duration;

use super::engine::EndCondition;
use super::stop::StopSignal;
use super::{POLL_INTERVAL, TrafficError};
use crate::ids::ProcessIdentity;
use crate::plan::{LoadPlan, PlannedScenario};
use crate::record::{RunDir, read_json, write_json};
use crate::scenario::{Group, ScenarioId, ScenarioKind};

/// Time limit for the first arrival of a scenario. Processes that have not arrived by then
/// are taken for never started.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(60);

/// Barrier of one run.
#[derive(Clone, Debug)]
pub(super) struct Barrier {
    run: RunDir,
    participants: Vec<PlannedScenario>,
    groups_are_sequential: bool,
}

impl Barrier {
    pub(super) fn of(run: &RunDir, plan: &LoadPlan) -> Self {
        let participants = plan
            .scenarios
            .iter()
            // The probe ends after all participants, so it cannot be one of them.
            .filter(|scenario| scenario.id.kind() != ScenarioKind::Probe)
            .cloned()
            .collect();
        Self { run: run.clone(), participants, groups_are_sequential: plan.phase_peaks }
    }

    /// Group of a participant by its operations, if it is a mix; that of its ID for others.
    fn group_of(&self, scenario: ScenarioId) -> Option<Group> {
        let participant = self.participants.iter().find(|planned| planned.id == scenario);
        participant.map_or_else(|| scenario.group(), PlannedScenario::group)
    }

    /// Arrives at the barrier of the first iteration, and waits until the scenario's group may
    /// start. Returns false if a stop was requested before that.
    pub(super) async fn wait_for_group(
        &self,
        scenario: ScenarioId,
        stop: &StopSignal,
    ) -> Result<bool, TrafficError> {
        let Some(group) = self.group_of(scenario).filter(|_| self.groups_are_sequential) else {
            return Ok(true);
        };
        // The arrival names this process, so that others notice its death while it waits.
        self.arrive(scenario, 0)?;
        while !self.run.group_start(group).exists() {
            tokio::select! {
                () = tokio::time::sleep(POLL_INTERVAL) => {}
                () = stop.requested() => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Arrives at the barrier of an iteration, and waits until all other running scenarios
    /// have arrived. Returns false if `end` was reached before that.
    pub(super) async fn arrive_and_wait(
        &self,
        scenario: ScenarioId,
        iteration: u32,
        end: EndCondition<'_>,
    ) -> Result<bool, TrafficError> {
        self.arrive(scenario, iteration)?;
        let is_awaited = |participant: ScenarioId| {
            // Scenarios of other groups run before or after this one.
            !self.groups_are_sequential || self.group_of(participant) == self.group_of(scenario)
        };
        self.wait_for_arrivals(is_awaited, iteration, end).await
    }

    /// Arrives at the barrier of the first iteration, and waits until all other running scenarios
    /// have arrived, those of other groups included. Returns false if `end` was reached before that.
    pub(super) async fn arrive_and_wait_for_all(
        &self,
        scenario: ScenarioId,
        end: EndCondition<'_>,
    ) -> Result<bool, TrafficError> {
        self.arrive(scenario, 0)?;
        self.wait(0, end).await
    }

    /// Waits until all running scenarios have arrived for an iteration, without arriving: the
    /// health probe is no participant. Returns false if `end` was reached before that.
    pub(super) async fn wait(
        &self,
        iteration: u32,
        end: EndCondition<'_>,
    ) -> Result<bool, TrafficError> {
        // With sequential groups, all of them arrive for the first iteration before theirs starts.
        self.wait_for_arrivals(|_| true, iteration, end).await
    }

    /// Writes the file by which other processes see the arrival, and whether this process is
    /// still alive.
    fn arrive(&self, scenario: ScenarioId, iteration: u32) -> Result<(), TrafficError> {
        if let Some(identity) = ProcessIdentity::current() {
            write_json(&arrival_file(&self.run, scenario, iteration), &identity)?;
        }
        Ok(())
    }

    async fn wait_for_arrivals(
        &self,
        is_awaited: impl Fn(ScenarioId) -> bool,
        iteration: u32,
        end: EndCondition<'_>,
    ) -> Result<bool, TrafficError> {
        // Only for processes that never started: a later iteration may take any time.
        let deadline = tokio::time::Instant::now() + ARRIVAL_TIMEOUT;
        while !self.all_participants(iteration, |participant| {
            !is_awaited(participant)
                || self.has_arrived(participant, iteration)
                || self.has_ended(participant)
                || (tokio::time::Instant::now() > deadline && !self.has_arrived(participant, 0))
        }) {
            tokio::select! {
                () = tokio::time::sleep(POLL_INTERVAL) => {}
                () = end.reached() => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether every scenario that has arrived for its first iteration has ended.
    pub(super) fn all_have_ended(&self) -> bool {
        self.all_participants(0, |scenario| self.is_over(scenario))
    }

    /// Whether every scenario that has arrived for its first iteration has ended, without those
    /// that accompany the load of others.
    pub(super) fn all_loads_have_ended(&self) -> bool {
        self.all_participants(0, |scenario| {
            scenario.kind().accompanies_load() || self.is_over(scenario)
        })
    }

    fn is_over(&self, scenario: ScenarioId) -> bool {
        self.has_ended(scenario) || !self.has_arrived(scenario, 0)
    }

    /// Whether `condition` holds for all scenarios that have an iteration with this number.
    fn all_participants(&self, iteration: u32, condition: impl Fn(ScenarioId) -> bool) -> bool {
        // Scenarios with fewer iterations never arrive for this one.
        let mut scenarios =
            self.participants.iter().filter(|it| iteration < it.shape.synchronized_starts());
        scenarios.all(|planned| condition(planned.id))
    }

    fn has_arrived(&self, scenario: ScenarioId, iteration: u32) -> bool {
        arrival_file(&self.run, scenario, iteration).exists()
    }

    fn has_ended(&self, scenario: ScenarioId) -> bool {
        has_ended(&self.run, scenario)
    }
}

/// Whether a scenario of a run has ended: its outcome exists, or its process has exited.
pub fn has_ended(run: &RunDir, scenario: ScenarioId) -> bool {
    if run.outcome(scenario).exists() {
        return true;
    }
    // A file that cannot be read, as at the limit on open files, does not show an end.
    let process: Option<ProcessIdentity> =
        read_json(&arrival_file(run, scenario, 0), "process identity").ok();
    process.is_some_and(|process| !process.is_alive())
}

/// Path of the file that marks the arrival of a scenario for an iteration.
fn arrival_file(run: &RunDir, scenario: ScenarioId, iteration: u32) -> PathBuf {
    run.barrier().join(format!("{iteration}-{}.json", scenario.file_stem()))
}
