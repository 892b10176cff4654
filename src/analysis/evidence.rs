//! Evidence: contents of all files of a run directory, read once. An unreadable file is reported
//! as damage, not ignored.

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
use crate::record::server_metrics::MetricsLine;
use crate::record::{
    Document, RecordError, RunDir, RunFacts, ServerRequests, SizeRecord, read, read_log,
    read_optional,
};
use crate::scenario::ScenarioId;

use super::losses;
use super::recording::Recording;

/// Contents of all files of a run directory.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// ID of the run.
    pub run: RunId,
    /// Argument that names the run in commands: the ID, or the path of a directory in which
    /// commands do not look.
    pub name: String,
    /// Arguments of the command line; `None` in runs of builds that did not record them.
    pub request: Option<LoadRequest>,
    /// Plan of the run.
    pub plan: LoadPlan,
    /// Facts of the run that are not part of its plan.
    pub facts: Option<RunFacts>,
    /// SkyPilot, server and machine under test.
    pub environment: Option<Environment>,
    /// Events of the run with their times.
    pub events: Vec<LoggedEvent>,
    /// Lines of the profile; empty without one.
    pub profile: Vec<ProfileLine>,
    /// Process table of the profile.
    pub processes: Option<ProcessTable>,
    /// Log of the server's own metrics; empty without one.
    pub server_metrics: Vec<MetricsLine>,
    /// Log of shared resources.
    pub resources: Option<ResourceLog>,
    /// Server's own record of requests.
    pub server_requests: Option<ServerRequests>,
    /// Stated size of the server, and how it was held to it.
    pub server_size: Option<SizeRecord>,
    /// Resource use of the nodes of the loopback Slurm cluster.
    pub nodes: Option<NodeFigures>,
    /// Outcomes of the scenarios that have one.
    pub outcomes: BTreeMap<ScenarioId, ScenarioOutcome>,
    /// Messages about files that are unreadable, incomplete or changed.
    pub damage: Vec<String>,
}

impl Evidence {
    /// Reads a run directory.
    ///
    /// # Errors
    ///
    /// If the plan is missing or unreadable: without a plan, it is unknown which other files and
    /// figures a complete run has. Damage to other files is recorded in the evidence.
    pub fn read(run: &RunDir) -> Result<Self, RecordError> {
        let plan: LoadPlan = read(&run.plan())?;
        let mut damage = Vec::new();
        let mut note = |error: RecordError| damage.push(error.in_one_line());
        let request: Option<RequestFile> = read_or_note(&run.request(), &mut note);
        let facts = run.read_facts().unwrap_or_else(|error| {
            note(error);
            None
        });
        let environment = read_or_note(&run.environment(), &mut note);
        let processes = read_or_note(&run.processes(), &mut note);
        let resources = read_or_note(&run.resources(), &mut note);
        let server_requests = read_or_note(&run.server_requests(), &mut note);
        let server_size = read_or_note(&run.server_size(), &mut note);
        let nodes = read_or_note(&run.nodes(), &mut note);
        let (mut outcomes, mut misplaced) = (BTreeMap::new(), Vec::new());
        for scenario in &plan.scenarios {
            let path = run.outcome(scenario.id);
            match read_optional::<ScenarioOutcome>(&path) {
                // A file of another scenario is valid by itself, but its figures must not count
                // here.
                Ok(Some(outcome)) if outcome.scenario != scenario.id => {
                    misplaced.push(losses::misplaced_outcome(&path, &outcome.scenario));
                }
                Ok(Some(outcome)) => _ = outcomes.insert(scenario.id, outcome),
                Ok(None) => {}
                Err(error) => note(error),
            }
        }
        let events = run.read_events().unwrap_or_else(|error| {
            note(error);
            Default::default()
        });
        let profile = read_log(&run.samples()).unwrap_or_else(|error| {
            note(error);
            Default::default()
        });
        let server_metrics = run.read_server_metrics().unwrap_or_else(|error| {
            note(error);
            Default::default()
        });
        for (path, cut_off) in [
            (run.events(), events.cut_off),
            (run.samples(), profile.cut_off),
            (run.server_metrics(), server_metrics.cut_off),
        ] {
            damage.extend(cut_off.then(|| incomplete_line(&path)));
        }
        damage.extend(misplaced);
        damage.extend(losses::of_events(&run.events(), &events.values));
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
            events: events.values,
            profile: profile.values,
            processes,
            server_metrics: server_metrics.values,
            resources,
            server_requests,
            server_size,
            nodes,
            outcomes,
            damage,
        };
        Ok(evidence.on_local_clock())
    }

    /// Profile with its process table.
    pub(crate) fn recording(&self) -> Recording<'_> {
        Recording { lines: &self.profile, processes: self.processes.as_ref() }
    }

    /// Samples of the profile, in their order.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.recording().samples()
    }

    /// Whether there is a profile, or the plan requires one.
    pub fn is_profiled(&self) -> bool {
        self.plan.is_profiled() || !self.profile.is_empty()
    }

    /// Whether the profile was made on the remote server's machine (`--server-profile`).
    pub fn has_server_profile(&self) -> bool {
        self.plan.is_remote() && self.is_profiled()
    }

    /// Offset of the remote server's clock from the local one; `None` if they were not compared.
    pub fn clock_offset(&self) -> Option<ClockOffset> {
        self.events.iter().find_map(|logged| match logged.event {
            Event::ClockCompared(offset) => Some(offset),
            _ => None,
        })
    }

    /// Time at which the first phase began.
    pub fn phases_began(&self) -> Option<Timestamp> {
        let begins = |logged: &&LoggedEvent| matches!(logged.event, Event::PhaseBegan(_));
        self.events.iter().find(begins).map(|logged| logged.at)
    }

    /// Time at which the last phase ended.
    pub fn phases_ended(&self) -> Option<Timestamp> {
        let ends = |logged: &&LoggedEvent| logged.event == Event::PhasesEnded;
        self.events.iter().find(ends).map(|logged| logged.at)
    }

    /// Whether the server exited or was replaced during the run.
    pub fn server_was_lost(&self) -> bool {
        self.events
            .iter()
            .any(|logged| matches!(logged.event, Event::ServerGone | Event::ServerReplaced))
    }

    /// Whether the load was stopped before all scenarios had ended.
    pub fn was_stopped(&self) -> bool {
        self.events.iter().any(|logged| matches!(logged.event, Event::LoadStopped(_)))
    }

    /// Whether the load began.
    pub fn was_loaded(&self) -> bool {
        self.began(Phase::Load)
    }

    /// Whether a phase began.
    pub fn began(&self, phase: Phase) -> bool {
        self.events.iter().any(|logged| logged.event == Event::PhaseBegan(phase))
    }

    /// Whether the run ended early, without the end of its phases: most likely it was killed.
    pub fn ended_early(&self) -> bool {
        !self.events.iter().any(|logged| logged.event == Event::PhasesEnded)
    }

    /// Whether the load ran to its end and one server lived through the whole cooldown.
    pub fn completed_cooldown(&self) -> bool {
        !self.was_stopped() && !self.server_was_lost() && !self.ended_early()
    }

    /// Number of leaked processes; `None` if the server was not stopped by `sky api stop`.
    pub fn leaked_processes(&self) -> Option<u32> {
        self.events.iter().rev().find_map(|logged| match &logged.event {
            Event::LeakedProcesses(titles) => Some(u32::try_from(titles.len()).unwrap_or(u32::MAX)),
            _ => None,
        })
    }

    /// Time from the server's start to its end; `None` if one of the two was not recorded.
    pub fn duration(&self) -> Option<Duration> {
        let moment = |event| self.events.iter().find(|logged| logged.event == event);
        Some(moment(Event::Ended)?.at.since(moment(Event::Began)?.at))
    }

    /// Time of the last event or sample, whichever is later.
    pub fn last_moment(&self) -> Option<Timestamp> {
        let event = self.events.last().map(|logged| logged.at);
        let sample = self.samples().last().map(|sample| sample.at);
        event.max(sample)
    }
}

/// Content of a file; `None` if the file is missing, or unreadable: then the error goes to `note`.
pub(super) fn read_or_note<T: Document>(
    path: &Path,
    note: &mut impl FnMut(RecordError),
) -> Option<T> {
    read_optional(path).unwrap_or_else(|error| {
        note(error);
        None
    })
}

pub(super) fn incomplete_line(path: &Path) -> String {
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

    /// Directory of a run that was killed right after its plan was written.
    fn planned() -> (TempDir, RunDir) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("20261124-080000-test")).unwrap();
        let machine = Machine {
            memory_total: ByteSize::gib(16),
            memory_available: ByteSize::gib(15),
            limits: MachineLimits::NONE,
            obstacles: std::collections::BTreeMap::new(),
            without_nodes: std::collections::BTreeMap::new(),
            speed: None,
            shell: Vec::new(),
        };
        let config = Config::parse("[plans.default]\n", "skyload.toml").unwrap();
        let request = LoadRequest { api: vec!["status".to_owned()], ..LoadRequest::default() };
        write_json(&run.plan(), &LoadPlan::resolve(&request, &config, &machine).unwrap()).unwrap();
        (folder, run)
    }

    #[test]
    fn a_run_with_only_a_plan_has_no_evidence_and_no_damage() {
        let (_folder, run) = planned();
        let evidence = Evidence::read(&run).unwrap();
        assert_eq!(evidence.run.to_string(), "20261124-080000-test");
        assert!(evidence.environment.is_none() && evidence.processes.is_none());
        assert!(evidence.events.is_empty() && evidence.profile.is_empty());
        assert!(evidence.outcomes.is_empty() && evidence.damage.is_empty());
        assert_eq!(Report::assemble(&evidence).verdict, Verdict::Inconclusive);
    }

    #[rstest]
    #[case::truncated_environment(RunDir::environment, "{")]
    #[case::process_table_without_fields(RunDir::processes, "{}")]
    #[case::outcome_of_another_type(|run: &RunDir| run.outcome(ScenarioId::ApiStatus), "[]")]
    #[case::events_with_an_invalid_line(RunDir::events, "{\n{}\n")]
    #[case::samples_with_an_invalid_line(RunDir::samples, "{\n{}\n")]
    #[case::events_with_a_truncated_last_line(RunDir::events, "{\"at\":")]
    #[case::samples_with_a_truncated_last_line(RunDir::samples, "{\"kind\":\"tick\"")]
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
    fn lines_before_a_truncated_one_are_read() {
        let (_folder, run) = planned();
        let line = |at| serde_json::to_string(&ProfileLine::ServerGone { at }).unwrap();
        let lines = [1, 2].map(|at| line(Timestamp::from_micros(at)));
        fs::write(run.samples(), format!("{}\n{}\n{{\"kind\"", lines[0], lines[1])).unwrap();
        assert_eq!(Evidence::read(&run).unwrap().profile.len(), 2);
    }

    #[rstest]
    #[case::missing(None)]
    #[case::damaged(Some("{"))]
    fn a_run_without_a_readable_plan_is_an_error(#[case] plan: Option<&str>) {
        let (_folder, run) = planned();
        match plan {
            Some(text) => fs::write(run.plan(), text).unwrap(),
            None => fs::remove_file(run.plan()).unwrap(),
        }
        assert!(Evidence::read(&run).is_err());
    }
}
