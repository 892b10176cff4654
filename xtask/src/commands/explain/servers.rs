//! Fresh servers with traced executors: two for each repeated request, without tracemalloc and with
//! it, or one for the import of SkyPilot alone.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::{Error, Result, bail, ensure};
use skyload::class::ProcessClass;
use skyload::credentials::Credentials;
use skyload::explanation::{self, Answer, ExplainedPeak, Explanation, Repetition, Subject};
use skyload::ids::RunId;
use skyload::plan::{PlannedScenario, UsageErrors};
use skyload::record::trace::Trace;
use skyload::record::{ExplanationDir, RunDir, ServerRequests, Version, read_optional, write_json};
use skyload::scenario::ScenarioId;
use skyload::units::as_mib;

use super::order::Order;
use super::traces::{self, Found};
use crate::commands::load::{Coordinator, Prepared, TracedServer};
use crate::nextest::Tests;
use crate::server::Traced;
use crate::sky::Extras;

/// Time limit for the import of SkyPilot in an executor.
const IMPORT_LIMIT: Duration = Duration::from_secs(180);

/// Time limit for the end of a request that its client has seen the end of.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// Number of servers for one trace, if the iteration fails: on a busy machine it misses timeouts of
/// the SDK while the server still starts.
const ATTEMPTS: u32 = 2;

/// Time limit for a request of the server itself, such as a daemon that keeps growing.
const SERVER_LIMIT: Duration = Duration::from_secs(180);

/// Explains the peaks of an order. The file of the explanation has each peak as soon as it is
/// explained; after an interruption, the rest is named as not explained.
pub(super) fn explain(
    order: &Order,
    coordinator: Coordinator<'_>,
) -> Result<(Explanation, ExplanationDir)> {
    // Before the cleanup: with the lock held, any other run of this workspace is dead.
    let _lock = coordinator.workspace.lock()?;
    coordinator.clean_up_after_dead_runs()?;
    let is_any = order.peaks.iter().any(|(_, way)| !matches!(way, Repetition::None(_)));
    let prepared = is_any.then(|| prepare(order, coordinator)).transpose()?;
    let parent = coordinator.workspace.explanations();
    let directory = ExplanationDir::create(&parent.join(RunId::generate().as_str()))?;
    let servers = prepared.map(|(prepared, tests)| Servers {
        order,
        directory: &directory,
        coordinator,
        prepared,
        tests,
        imports: RefCell::default(),
    });
    let mut explanation = Explanation {
        version: Version,
        run: order.evidence.run.clone(),
        sky: order.environment.sky.version.clone(),
        import: None,
        peaks: Vec::new(),
        notes: Vec::new(),
    };
    for (index, (peak, repetition)) in order.peaks.iter().enumerate() {
        let (number, all) = (index + 1, order.peaks.len());
        let (class, cause) = (peak.class, peak.cause_in_words());
        let mib = as_mib(peak.peak);
        let text = format!("Peak {number} of {all}: {class} {mib:.1} MiB, {cause}");
        coordinator.progress.note(text);
        let answer = match (repetition, &servers) {
            (Repetition::None(reason), _) => Answer::NotExplained { reason: reason.clone() },
            (Repetition::Import, _) => Answer::Import,
            (Repetition::Request { name, scenarios }, Some(servers)) => {
                servers.request(class, name, scenarios)
            }
            (Repetition::OfServer(id), Some(servers)) => servers.of_server(class, id),
            (Repetition::Request { .. } | Repetition::OfServer(_), None) => {
                bail!("no server was prepared")
            }
        };
        explanation.peaks.push(ExplainedPeak::new(peak, answer));
        explanation.import = servers.as_ref().and_then(Servers::import);
        write_json(&directory.json(), &explanation)?;
    }
    let notes = match &servers {
        Some(servers) => servers.see_import(),
        None => vec!["no server was started, since no peak can be repeated".to_owned()],
    };
    explanation.notes.extend(notes.into_iter().map(|note| format!("import: {note}")));
    explanation.import = servers.as_ref().and_then(Servers::import);
    write_json(&directory.json(), &explanation)?;
    Ok((explanation, directory))
}

/// Builds the scenarios, and finds or installs the SkyPilot of the run.
fn prepare<'a>(order: &Order, coordinator: Coordinator<'a>) -> Result<(Prepared<'a>, Tests)> {
    let plan = &order.evidence.plan;
    // The run's server is an isolated one, which has no login.
    let credentials = Credentials::None;
    let tests = coordinator.build_tests(&credentials, plan)?;
    let request = order.evidence.request.clone().unwrap_or_default();
    let installation = explanation::plan_of_installation(plan);
    let prepared = Prepared::of_plan(coordinator, request, installation, credentials)?;
    let (found, wanted) = (&prepared.sky.facts, &order.environment.sky);
    let extras = prepared.sky.extras.as_ref().map(Extras::names);
    // Unknown of a SkyPilot that skyload did not install, and of runs of earlier builds.
    let has_other_extras = extras.is_some() && wanted.extras.is_some() && extras != wanted.extras;
    ensure!(
        found.version == wanted.version && found.commit == wanted.commit && !has_other_extras,
        UsageErrors(vec![format!(
            "expected SkyPilot {} of the run, got {}: {} has changed since\n  hint: make a new run \
             with `cargo xtask load`",
            named(&wanted.version, wanted.commit.as_deref(), wanted.extras.as_deref()),
            named(&found.version, found.commit.as_deref(), extras.as_deref()),
            plan.sky
        )])
    );
    Ok((prepared, tests))
}

/// Servers of one explanation.
struct Servers<'a> {
    order: &'a Order,
    directory: &'a ExplanationDir,
    coordinator: Coordinator<'a>,
    prepared: Prepared<'a>,
    tests: Tests,
    /// Traces of the import of SkyPilot, by the executors of the servers so far.
    imports: RefCell<Vec<Trace>>,
}

impl Servers<'_> {
    /// Trace of the import of SkyPilot: in the class that has a peak by it, if one wrote a trace.
    fn import(&self) -> Option<Trace> {
        let imports = self.imports.borrow();
        let of = |class| explanation::import_of(class, &imports);
        of(self.class_of_import()).or_else(|| of(None)).cloned()
    }

    /// Class whose peak is by the import of SkyPilot; `None` if no peak is.
    fn class_of_import(&self) -> Option<ProcessClass> {
        let by_import = |(_, way): &&(_, Repetition)| matches!(way, Repetition::Import);
        self.order.peaks.iter().find(by_import).map(|(peak, _)| peak.class)
    }

    /// Traces the import of SkyPilot in a further server, if none of the class has traced it yet.
    /// Returns what prevented it.
    fn see_import(&self) -> Vec<String> {
        let class = self.class_of_import();
        let has_import = |traces: &[Trace]| explanation::import_of(class, traces).is_some();
        if has_import(&self.imports.borrow()) {
            return Vec::new();
        }
        self.coordinator.progress.note("Import of SkyPilot");
        let is_done = traces::after_changes(|run| Ok(has_import(&run.read_traces()?)));
        let run = self.run(Subject::Import, Traced::Modules, IMPORT_LIMIT, is_done);
        let missing = |run| -> Result<Vec<String>> {
            let is_there = has_import(&self.imports.borrow());
            let errors = traces::errors(&run)?;
            Ok(if is_there {
                Vec::new()
            } else {
                vec![format!("no executor wrote a trace{errors}")]
            })
        };
        run.and_then(missing).unwrap_or_else(|error| vec![self.note_of(&error)])
    }

    /// Trace of a request, by the first of the scenarios that sends one to the queue of the class.
    fn request(&self, class: ProcessClass, name: &str, scenarios: &[PlannedScenario]) -> Answer {
        let mut reasons = Vec::new();
        for scenario in scenarios {
            let trace = |traced| self.trace(class, name, scenario, traced);
            match self.answer(Some(scenario.id), trace) {
                Answer::NotExplained { reason } => {
                    reasons.push(format!("{}: {reason}", scenario.id))
                }
                answer => return answer,
            }
        }
        Answer::NotExplained { reason: reasons.join("; ") }
    }

    /// Trace of a request that the server itself starts.
    fn of_server(&self, class: ProcessClass, id: &str) -> Answer {
        self.answer(None, |traced| {
            let is_done = |run: &RunDir| traces::is_steady(run, id);
            let run = self.run(Subject::OfServer, traced, SERVER_LIMIT, is_done)?;
            let traces = run.read_traces()?;
            Found::of(&run, class, id, explanation::trace_of_server(id, class, &traces))
        })
    }

    /// Answer from a trace without tracemalloc and the allocations of one with it. An error is the
    /// reason of what is missing: it is none to lose other traces.
    fn answer(
        &self,
        scenario: Option<ScenarioId>,
        trace: impl Fn(Traced) -> Result<Found>,
    ) -> Answer {
        let found = |traced| {
            let error = |error| Found { trace: None, notes: vec![self.note_of(&error)] };
            trace(traced).unwrap_or_else(error)
        };
        let Found { trace, mut notes } = found(Traced::Modules);
        let Some(trace) = trace else {
            return Answer::NotExplained { reason: notes.join("; ") };
        };
        let under = found(Traced::Allocations);
        notes.extend(under.notes.into_iter().map(|note| format!("under tracemalloc: {note}")));
        let allocations = under.trace.and_then(|under| under.allocations);
        Answer::Repeated { scenario, trace: Box::new(Trace { allocations, ..trace }), notes }
    }

    /// Trace of a request in a server of its scenario.
    fn trace(
        &self,
        class: ProcessClass,
        name: &str,
        scenario: &PlannedScenario,
        traced: Traced,
    ) -> Result<Found> {
        let mut last = Found::default();
        for _ in 0..ATTEMPTS {
            let is_done = traces::after_changes(|run| traces::has_all_traces(run, name));
            let run = match self.run(Subject::Scenario(scenario), traced, REQUEST_LIMIT, is_done) {
                Err(error) if last.trace.is_some() => {
                    last.notes.push(self.note_of(&error));
                    break;
                }
                run => run?,
            };
            let requests: Option<ServerRequests> = read_optional(&run.server_requests())?;
            let traces = run.read_traces()?;
            let trace = requests
                .as_ref()
                .and_then(|requests| explanation::trace_of(name, class, &traces, requests));
            let mut found = Found::of(&run, class, name, trace)?;
            let has_failed = traces::has_failed(read_optional(&run.outcome(scenario.id))?.as_ref());
            if has_failed {
                found.notes.push(format!("the iteration failed: see {}", traces::place(&run)));
            } else if requests.is_some() {
                return Ok(found);
            }
            if found.trace.is_some() || last.trace.is_none() {
                last = found;
            }
        }
        Ok(last)
    }

    fn run(
        &self,
        subject: Subject<'_>,
        traced: Traced,
        limit: Duration,
        is_done: impl FnMut(&RunDir) -> Result<bool>,
    ) -> Result<RunDir> {
        self.coordinator.signals.check()?;
        let plan = &explanation::plan(&self.order.evidence.plan, subject);
        let server = TracedServer { plan, traced, under: &self.directory.servers(), limit };
        let run = server.run(&self.prepared, &self.tests, is_done)?;
        self.coordinator.signals.check()?;
        if traced == Traced::Modules {
            let of_import = run.read_traces()?.into_iter().filter(|one| one.request.is_none());
            self.imports.borrow_mut().extend(of_import);
        }
        Ok(run)
    }

    /// Error in a word or a sentence. Whatever fails after an interruption fails by it: a terminal
    /// sends Ctrl-C to other processes, too.
    fn note_of(&self, error: &Error) -> String {
        if self.coordinator.signals.interrupted() {
            "interrupted".to_owned()
        } else {
            format!("{error:#}")
        }
    }
}

fn named(version: &str, commit: Option<&str>, extras: Option<&[String]>) -> String {
    let extras = extras.map(|extras| format!(" with {}", extras.join(", ")));
    let commit = commit.map(|commit| format!(" ({})", commit.get(..12).unwrap_or(commit)));
    format!("{version}{}{}", commit.unwrap_or_default(), extras.unwrap_or_default())
}
