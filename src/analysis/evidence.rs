//! All that a run left, read once. Whatever can't be read is said, not skipped.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::clock::{ClockOffset, Timestamp};
use crate::ids::RunId;
use crate::plan::LoadPlan;
use crate::record::environment::Environment;
use crate::record::events::{Event, LoggedEvent};
use crate::record::nodes::NodeFigures;
use crate::record::outcome::ScenarioOutcome;
use crate::record::profile::{Phase, ProcessTable, ProfileLine, Sample};
use crate::record::request::{LoadRequest, RequestFile};
use crate::record::resources::ResourceLog;
use crate::record::{Document, RecordError, RunDir, RunFacts, read, read_log, read_optional};
use crate::scenario::ScenarioId;

use super::losses;
use super::recording::Recording;

/// All that a run left.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Which run.
    pub run: RunId,
    /// How commands are told which run: its id, or its directory where they would not
    /// look for it.
    pub name: String,
    /// What was typed; `None` of runs that did not write it down.
    pub request: Option<LoadRequest>,
    /// What was asked for.
    pub plan: LoadPlan,
    /// What is known of the run beside its plan.
    pub facts: Option<RunFacts>,
    /// What was found.
    pub environment: Option<Environment>,
    /// When what happened.
    pub events: Vec<LoggedEvent>,
    /// The profile.
    pub profile: Vec<ProfileLine>,
    /// The processes of the profile.
    pub processes: Option<ProcessTable>,
    /// What scenarios shared, and what became of it.
    pub resources: Option<ResourceLog>,
    /// What the nodes of the loopback infrastructure cost.
    pub nodes: Option<NodeFigures>,
    /// What the scenarios recorded.
    pub outcomes: BTreeMap<ScenarioId, ScenarioOutcome>,
    /// Files that broke off, or that can't be read.
    pub damage: Vec<String>,
}

impl Evidence {
    /// Reads a run directory. Only the plan must be there and readable: without
    /// it nobody knows what the rest should have been.
    pub fn read(run: &RunDir) -> Result<Self, RecordError> {
        let plan: LoadPlan = read(&run.plan())?;
        let mut damage = Vec::new();
        let mut note = |error: RecordError| damage.push(error.in_one_line());
        let request: Option<RequestFile> = readable(&run.request(), &mut note);
        let facts = run.read_facts().unwrap_or_else(|error| {
            note(error);
            None
        });
        let environment = readable(&run.environment(), &mut note);
        let processes = readable(&run.processes(), &mut note);
        let resources = readable(&run.resources(), &mut note);
        let nodes = readable(&run.nodes(), &mut note);
        let (mut outcomes, mut others) = (BTreeMap::new(), Vec::new());
        for scenario in &plan.scenarios {
            let path = run.outcome(scenario.id);
            match read_optional::<ScenarioOutcome>(&path) {
                Ok(Some(outcome)) if outcome.scenario != scenario.id => {
                    others.push(losses::of_another(&path, &outcome.scenario));
                }
                Ok(Some(outcome)) => _ = outcomes.insert(scenario.id, outcome),
                Ok(None) => {}
                Err(error) => note(error),
            }
        }
        let marks = run.read_events().unwrap_or_else(|error| {
            note(error);
            Default::default()
        });
        let profile = read_log(&run.samples()).unwrap_or_else(|error| {
            note(error);
            Default::default()
        });
        for (path, cut_off) in [(run.events(), marks.cut_off), (run.samples(), profile.cut_off)] {
            damage.extend(cut_off.then(|| breaks_off(&path)));
        }
        damage.extend(others);
        damage.extend(losses::of_marks(&run.events(), &marks.values));
        damage.extend(losses::of_profile(
            &run.samples(),
            &run.processes(),
            &profile.values,
            processes.as_ref(),
        ));
        match run.changes() {
            Ok(changes) => damage.extend(changes),
            Err(error) => damage.push(error.in_one_line()),
        }
        let evidence = Self {
            run: run.id(),
            name: run.id().to_string(),
            request: request.map(|file| file.request),
            plan,
            facts,
            environment,
            events: marks.values,
            profile: profile.values,
            processes,
            resources,
            nodes,
            outcomes,
            damage,
        };
        Ok(evidence.by_our_clock())
    }

    /// The profile and its processes.
    pub(crate) fn recording(&self) -> Recording<'_> {
        Recording { lines: &self.profile, processes: self.processes.as_ref() }
    }

    /// The ticks of the profile.
    pub fn ticks(&self) -> impl Iterator<Item = &Sample> {
        self.recording().ticks()
    }

    /// Whether there is a profile, or ought to be one.
    pub fn is_profiled(&self) -> bool {
        self.plan.is_profiled() || !self.profile.is_empty()
    }

    /// Whether the profile was made on another machine than the run.
    pub fn has_server_profile(&self) -> bool {
        self.plan.is_remote() && self.is_profiled()
    }

    /// How far the server's clock is from ours, where that was asked.
    pub fn clock_offset(&self) -> Option<ClockOffset> {
        self.events.iter().find_map(|mark| match mark.event {
            Event::ClockCompared(offset) => Some(offset),
            _ => None,
        })
    }

    /// When the first phase began.
    pub fn phases_began(&self) -> Option<Timestamp> {
        let begins = |mark: &&LoggedEvent| matches!(mark.event, Event::PhaseBegan(_));
        self.events.iter().find(begins).map(|mark| mark.at)
    }

    /// When the last phase ended.
    pub fn phases_ended(&self) -> Option<Timestamp> {
        let ends = |mark: &&LoggedEvent| mark.event == Event::PhasesEnded;
        self.events.iter().find(ends).map(|mark| mark.at)
    }

    /// Whether the server of the beginning was not that of the end.
    pub fn server_was_lost(&self) -> bool {
        self.events
            .iter()
            .any(|mark| matches!(mark.event, Event::ServerGone | Event::ServerReplaced))
    }

    /// Whether the load was stopped before its end.
    pub fn was_stopped(&self) -> bool {
        self.events.iter().any(|mark| matches!(mark.event, Event::LoadStopped(_)))
    }

    /// Whether the load began at all.
    pub fn was_loaded(&self) -> bool {
        self.began(Phase::Load)
    }

    /// Whether a phase began.
    pub fn began(&self, phase: Phase) -> bool {
        self.events.iter().any(|mark| mark.event == Event::PhaseBegan(phase))
    }

    /// Whether the run did not come to its last mark: it was killed, most likely.
    pub fn broke_off(&self) -> bool {
        !self.events.iter().any(|mark| mark.event == Event::PhasesEnded)
    }

    /// Whether the server of the beginning was given the whole cooldown to settle.
    pub fn came_to_rest(&self) -> bool {
        !self.was_stopped() && !self.server_was_lost() && !self.broke_off()
    }

    /// How many processes a stop of the server left behind; `None` when it was not
    /// stopped.
    pub fn leaked_processes(&self) -> Option<u32> {
        self.events.iter().rev().find_map(|mark| match &mark.event {
            Event::LeakedProcesses(titles) => Some(u32::try_from(titles.len()).unwrap_or(u32::MAX)),
            _ => None,
        })
    }

    /// From the server's start to its end.
    pub fn duration(&self) -> Option<Duration> {
        let moment = |event| self.events.iter().find(|mark| mark.event == event);
        Some(moment(Event::Ended)?.at.since(moment(Event::Began)?.at))
    }

    /// The last moment of which there is any trace.
    pub fn last_moment(&self) -> Option<Timestamp> {
        let mark = self.events.last().map(|mark| mark.at);
        let tick = self.ticks().last().map(|tick| tick.at);
        mark.max(tick)
    }
}

/// What a file holds; `None` if it isn't there, or can't be read, which is noted.
pub(super) fn readable<T: Document>(path: &Path, note: &mut impl FnMut(RecordError)) -> Option<T> {
    read_optional(path).unwrap_or_else(|error| {
        note(error);
        None
    })
}

pub(super) fn breaks_off(path: &Path) -> String {
    format!("`{}` ends in an incomplete line", path.display())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use rstest::rstest;
    use tempfile::TempDir;

    use super::*;
    use crate::analysis::{Report, Verdict};
    use crate::config::Config;
    use crate::limits::MachineLimits;
    use crate::plan::Machine;
    use crate::record::write_json;
    use crate::units::ByteSize;

    /// The directory of a run that was killed right after it was planned.
    fn planned() -> (TempDir, RunDir) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("20261124-080000-test")).unwrap();
        let machine = Machine {
            memory_total: ByteSize::gib(16),
            memory_available: ByteSize::gib(15),
            limits: MachineLimits::NONE,
            loopback_obstacle: None,
            speed: None,
            shell: Vec::new(),
        };
        let config = Config::parse("[plans.default]\n", "skyload.toml").unwrap();
        let request = LoadRequest { api: vec!["status".to_owned()], ..LoadRequest::default() };
        write_json(&run.plan(), &LoadPlan::resolve(&request, &config, &machine).unwrap()).unwrap();
        (folder, run)
    }

    #[test]
    fn a_run_that_was_only_planned_lacks_everything_and_nothing_is_damaged() {
        let (_folder, run) = planned();
        let evidence = Evidence::read(&run).unwrap();
        assert_eq!(evidence.run.to_string(), "20261124-080000-test");
        assert!(evidence.environment.is_none() && evidence.processes.is_none());
        assert!(evidence.events.is_empty() && evidence.profile.is_empty());
        assert!(evidence.outcomes.is_empty() && evidence.damage.is_empty());
        assert_eq!(Report::assemble(&evidence).verdict, Verdict::Inconclusive);
    }

    #[rstest]
    #[case::an_environment_that_is_cut_off(RunDir::environment, "{")]
    #[case::a_process_table_without_its_fields(RunDir::processes, "{}")]
    #[case::an_outcome_of_another_kind(|run: &RunDir| run.outcome(ScenarioId::ApiStatus), "[]")]
    #[case::marks_with_a_broken_line_between(RunDir::events, "{\n{}\n")]
    #[case::a_profile_with_a_broken_line_between(RunDir::samples, "{\n{}\n")]
    #[case::marks_whose_last_line_is_cut_off(RunDir::events, "{\"at\":")]
    #[case::a_profile_whose_last_line_is_cut_off(RunDir::samples, "{\"kind\":\"tick\"")]
    fn a_damaged_file_is_named_and_the_others_are_read(
        #[case] path: impl Fn(&RunDir) -> PathBuf,
        #[case] content: &str,
    ) {
        let (_folder, run) = planned();
        fs::write(path(&run), content).unwrap();
        let evidence = Evidence::read(&run).unwrap();
        let [damage] = evidence.damage.as_slice() else { panic!("{:?}", evidence.damage) };
        assert!(damage.contains(&path(&run).display().to_string()), "{damage}");
        let findings = Report::assemble(&evidence).findings;
        assert!(findings.iter().any(|finding| finding.message == *damage), "{findings:?}");
    }

    #[test]
    fn a_request_of_another_version_is_not_read() {
        let (_folder, run) = planned();
        fs::write(run.request(), r#"{"version":9,"request":{}}"#).unwrap();
        let evidence = Evidence::read(&run).unwrap();
        assert_eq!(evidence.request, None);
        assert!(
            evidence.damage[0].contains("expected request versions 1 to 2, found version 9"),
            "{:?}",
            evidence.damage
        );
    }

    #[test]
    fn lines_before_the_one_that_is_cut_off_count() {
        let (_folder, run) = planned();
        let line = |at| serde_json::to_string(&ProfileLine::ServerGone { at }).unwrap();
        let lines = [1, 2].map(|at| line(Timestamp::from_micros(at)));
        fs::write(run.samples(), format!("{}\n{}\n{{\"kind\"", lines[0], lines[1])).unwrap();
        assert_eq!(Evidence::read(&run).unwrap().profile.len(), 2);
    }

    #[rstest]
    #[case::missing(None)]
    #[case::damaged(Some("{"))]
    fn without_its_plan_a_run_means_nothing(#[case] plan: Option<&str>) {
        let (_folder, run) = planned();
        match plan {
            Some(text) => fs::write(run.plan(), text).unwrap(),
            None => fs::remove_file(run.plan()).unwrap(),
        }
        assert!(Evidence::read(&run).is_err());
    }
}
