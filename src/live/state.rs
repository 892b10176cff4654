//! State of a run in progress, from the rows of its files.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::history::{History, Point};
use super::memory::Memory;
use super::run_state::RunState;
use super::time_left::{self, Times};
use super::view::{ClassView, Ending, LoadState, ScenarioView, Totals, View};
use crate::analysis::{Verdict, peak_budgets};
use crate::class::ProcessClass;
use crate::clock::Timestamp;
use crate::ids::RunId;
use crate::plan::LoadPlan;
use crate::record::RunFacts;
use crate::record::environment::Environment;
use crate::record::events::{Event, LoggedEvent, StopReason};
use crate::record::outcome::ScenarioProgress;
use crate::record::profile::{Phase, ProcessTable, ProfileLine};
use crate::scenario::{ScenarioId, ScenarioKind};
use crate::shape::Timed;
use crate::units::{ByteSize, total};

/// State of a run in progress.
#[derive(Clone, Debug)]
pub struct LiveState {
    run: RunId,
    plan: LoadPlan,
    facts: Option<RunFacts>,
    sky: Option<String>,
    budgets: BTreeMap<ProcessClass, ByteSize>,
    state: RunState,
    /// Time of the first event; `None` before it.
    began: Option<Timestamp>,
    state_began: Option<Timestamp>,
    /// Times at which phases began.
    phases: Vec<(Timestamp, Phase)>,
    memory: Memory,
    progress: BTreeMap<ScenarioId, ScenarioProgress>,
    done: BTreeSet<ScenarioId>,
    notes: Vec<String>,
    ending: Option<Ending>,
    history: History,
}

impl LiveState {
    /// State of a run that has its plan only.
    pub fn new(run: RunId, plan: LoadPlan, facts: Option<RunFacts>) -> Self {
        let budgets = peak_budgets(&plan, None);
        Self {
            run,
            plan,
            facts,
            sky: None,
            budgets,
            state: RunState::StartingServer,
            began: None,
            state_began: None,
            phases: Vec::new(),
            memory: Memory::default(),
            progress: BTreeMap::new(),
            done: BTreeSet::new(),
            notes: Vec::new(),
            ending: None,
            history: History::default(),
        }
    }

    /// Adds what is known once the server has started: SkyPilot's version and constants.
    pub fn set_environment(&mut self, environment: &Environment) {
        self.sky = Some(environment.sky.short_name());
        self.budgets = peak_budgets(&self.plan, Some(environment));
    }

    /// Adds an event of the run.
    pub fn add_event(&mut self, logged: &LoggedEvent) {
        let began = *self.began.get_or_insert(logged.at);
        let state = match logged.event {
            Event::Began => Some(RunState::StartingServer),
            Event::PhaseBegan(phase) => {
                self.phases.push((logged.at, phase));
                Some(RunState::Phase(phase))
            }
            Event::PhasesEnded => Some(RunState::StoppingServer),
            Event::Ended => Some(RunState::Ended),
            _ => None,
        };
        if let Some(state) = state {
            (self.state, self.state_began) = (state, Some(logged.at));
        }
        if let Some(note) = note(&logged.event) {
            let after = logged.at.since(began).as_secs();
            self.notes.push(format!("after {after} s: {note}"));
        }
    }

    /// Adds a line of the profile.
    pub fn add_profile_line(&mut self, line: &ProfileLine) {
        self.memory.add(line);
    }

    /// Replaces what is known from the process table.
    pub fn set_processes(&mut self, table: &ProcessTable) {
        self.memory.set_table(table);
    }

    /// Replaces the progress of a scenario.
    pub fn set_progress(&mut self, scenario: ScenarioId, progress: ScenarioProgress) {
        self.progress.insert(scenario, progress);
    }

    /// Scenarios of the plan that have no result so far.
    pub fn running_scenarios(&self) -> Vec<ScenarioId> {
        let planned = self.plan.scenarios.iter().map(|scenario| scenario.id);
        planned.filter(|id| !self.done.contains(id)).collect()
    }

    /// Marks a scenario that has a result.
    pub fn set_done(&mut self, scenario: ScenarioId) {
        self.done.insert(scenario);
    }

    /// Adds the end of the run: its verdict, with the reason and the path of the report.
    pub fn conclude(&mut self, verdict: Verdict, sentence: String, report: String) {
        self.ending = Some(Ending { verdict, sentence, report });
        self.state = RunState::Ended;
    }

    /// Adds the present figures to the history.
    pub fn remember(&mut self, now: Timestamp) {
        // After the last phase, there is no profile any more.
        let is_over = matches!(self.state, RunState::StoppingServer | RunState::Ended);
        if self.began.is_none() || is_over {
            return;
        }
        let mut point = Point { largest: self.memory.take_recent(), ..Point::default() };
        if let Some(latest) = self.memory.latest() {
            for (class, figures) in &latest.classes {
                // Where nothing was read since, the latest figures are still the best.
                let largest = point.largest.entry(*class).or_default();
                *largest = figures.rss_max.max(*largest);
                point.processes.insert(*class, figures.count);
            }
            point.rss_sum = Some(latest.rss_sum());
        }
        let loads = self.progress.iter().filter(|(id, _)| !id.kind().accompanies_load());
        let active: Vec<u64> = loads.map(|(_, progress)| progress.active).collect();
        point.active = (!active.is_empty()).then(|| total(active));
        let probe = self.progress.get(&ScenarioId::ProbeHealth);
        let probe = probe.filter(|_| !self.done.contains(&ScenarioId::ProbeHealth));
        point.probe = probe.and_then(|progress| progress.latency).map(|latency| latency.max);
        self.history.add(now, point);
    }

    /// ID of the run.
    pub const fn run(&self) -> &RunId {
        &self.run
    }

    /// History of the run.
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Time of the first event; `None` before it.
    pub const fn began(&self) -> Option<Timestamp> {
        self.began
    }

    /// Times at which phases began, in their order.
    pub fn phases(&self) -> &[(Timestamp, Phase)] {
        &self.phases
    }

    /// Budgets on the largest process of each class.
    pub const fn budgets(&self) -> &BTreeMap<ProcessClass, ByteSize> {
        &self.budgets
    }

    /// View at a time.
    pub fn view(&self, now: Timestamp) -> View {
        let since = |time: Option<Timestamp>| time.map_or(Duration::ZERO, |time| now.since(time));
        let (elapsed, in_phase) = (since(self.began), since(self.state_began));
        let set = self.facts.as_ref().and_then(|facts| facts.set.as_ref());
        let estimate = self.facts.as_ref().and_then(|facts| facts.estimate);
        // Without an estimate, the time of a load that lasts for one is known.
        let timed = self.plan.scenarios.iter().filter_map(|planned| planned.shape.timed());
        let timed = timed.map(Timed::total).max();
        let times = Times {
            whole: estimate.map(|estimate| estimate.duration),
            load: estimate.and_then(|estimate| estimate.load).or(timed),
            cooldown: self.plan.cooldown,
            elapsed,
            in_phase,
        };
        View {
            run: self.run.to_string(),
            place: set.map(|place| format!("run {} of {}", place.number, place.of)),
            plan: self.plan.name.clone(),
            sky: self.sky.clone(),
            phase: self.state.name(),
            in_phase,
            elapsed,
            left: time_left::of(self.state, times),
            memory: self.classes(),
            totals: self.totals(now),
            scenarios: self.plan.scenarios.iter().map(|one| self.scenario(one.id)).collect(),
            notes: self.notes.clone(),
            ending: self.ending.clone(),
        }
    }

    fn classes(&self) -> Vec<ClassView> {
        let (latest, peaks) = (self.memory.latest(), self.memory.peaks());
        let class = |class: ProcessClass| {
            let now = latest.and_then(|latest| latest.classes.get(&class)).copied();
            let peak = peaks.get(&class).copied();
            // A budget alone is worth a row only for a class that has had a process.
            (now.is_some() || peak.is_some()).then(|| {
                let now = now.unwrap_or_default();
                ClassView {
                    class,
                    count: now.count,
                    threads: now.threads,
                    rss_sum: now.rss_sum,
                    largest: now.rss_max,
                    peak,
                    budget: self.budgets.get(&class).copied(),
                }
            })
        };
        ProcessClass::ALL.into_iter().filter_map(class).collect()
    }

    fn totals(&self, now: Timestamp) -> Option<Totals> {
        let latest = self.memory.latest()?;
        Some(Totals {
            age: now.since(latest.at),
            processes: latest.processes(),
            executors: latest.executors(),
            threads: latest.count(|class| class.threads),
            zombies: self.memory.zombies(),
            rss_sum: latest.rss_sum(),
            pss: self.memory.pss(),
            machine: self.memory.system(),
        })
    }

    fn scenario(&self, id: ScenarioId) -> ScenarioView {
        let progress = self.progress.get(&id);
        let count = |figure: fn(&ScenarioProgress) -> u64| progress.map_or(0, figure);
        ScenarioView {
            name: id.to_string(),
            is_probe: id.kind() == ScenarioKind::Probe,
            accompanies_load: id.kind().accompanies_load(),
            state: match (self.done.contains(&id), progress) {
                (true, _) => LoadState::Done,
                (false, Some(_)) => LoadState::Running,
                (false, None) => LoadState::Waiting,
            },
            active: count(|progress| progress.active),
            ended: count(|progress| progress.ended),
            failed: count(|progress| progress.failed),
            dropped: count(|progress| progress.dropped),
            latency: progress.and_then(|progress| progress.latency),
        }
    }
}

/// Message about an event that is no part of every run.
fn note(event: &Event) -> Option<String> {
    Some(match event {
        Event::LoadStopped(StopReason::Interrupted) => "interrupted".to_owned(),
        Event::LoadStopped(StopReason::MemoryFloor) => {
            "load stopped: available memory below the memory floor".to_owned()
        }
        Event::LoadStopped(StopReason::Breach) => "load ended by a threshold".to_owned(),
        Event::LoadStopped(StopReason::ProfilerLost) => "the profiler exited".to_owned(),
        Event::ServerGone => "the server died".to_owned(),
        Event::ServerReplaced => "the server was replaced by another one".to_owned(),
        Event::NotSettled(reason) => format!("the server was not idle: {reason}"),
        Event::KilledAtSize { processes, .. } => {
            format!("the kernel killed {processes} process(es), out of memory at the server's size")
        }
        Event::KilledBelowSize { processes } | Event::KilledForMemory { processes, .. } => {
            format!("the kernel killed {processes} process(es) out of memory")
        }
        Event::LeakedProcesses(processes) if !processes.is_empty() => {
            format!("the stop of the server left {} process(es)", processes.len())
        }
        _ => return None,
    })
}
