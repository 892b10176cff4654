//! Fresh servers with traced executors: two for each repeated request, without tracemalloc and with
//! it, or one for the import of SkyPilot alone.

use std::cell::RefCell;
use std::fs;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use host::signals::Interrupted;
use skyload::class::ProcessClass;
use skyload::credentials::Credentials;
use skyload::explanation::{self, Answer, ExplainedPeak, Explanation, Repetition};
use skyload::ids::RunId;
use skyload::plan::{PlannedScenario, UsageErrors};
use skyload::record::trace::Trace;
use skyload::record::{ExplanationDir, RunDir, ServerRequests, Version, read_optional};
use skyload::units::as_mib;

use super::order::Order;
use crate::commands::load::{Coordinator, Prepared, TracedServer};
use crate::nextest::Tests;
use crate::server::Traced;

/// Time limit for the import of SkyPilot in an executor.
const IMPORT_LIMIT: Duration = Duration::from_secs(180);

/// Time limit for the end of a request that its client has seen the end of.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// Number of servers for one trace, if a scenario fails before it has sent the request: on a busy
/// machine it misses timeouts of the SDK while the server still starts.
const ATTEMPTS: u32 = 2;

/// Time limit for a request of the server itself, such as a daemon that keeps growing.
const SERVER_LIMIT: Duration = Duration::from_secs(180);

/// Time without a new trace after which a request of the server has shown what it takes.
const STEADY: Duration = Duration::from_secs(15);

/// Explains the peaks of an order.
pub(super) fn explain(
    order: &Order,
    coordinator: Coordinator<'_>,
) -> Result<(Explanation, ExplanationDir)> {
    let parent = coordinator.workspace.explanations();
    let directory = ExplanationDir::create(&parent.join(RunId::generate().as_str()))?;
    let mut explanation = Explanation {
        version: Version,
        run: order.evidence.run.clone(),
        sky: order.environment.sky.version.clone(),
        import: None,
        peaks: Vec::new(),
    };
    // Before the cleanup: with the lock held, any other run of this workspace is dead.
    let _lock = coordinator.workspace.lock()?;
    coordinator.clean_up_after_dead_runs()?;
    let is_any = order.peaks.iter().any(|(_, way)| !matches!(way, Repetition::None(_)));
    let servers = is_any.then(|| Servers::prepare(order, &directory, coordinator)).transpose()?;
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
                answered(servers.request(class, name, scenarios))?
            }
            (Repetition::OfServer(id), Some(servers)) => answered(servers.of_server(id))?,
            (Repetition::Request { .. } | Repetition::OfServer(_), None) => {
                bail!("no server was prepared")
            }
        };
        explanation.peaks.push(ExplainedPeak::new(peak, answer));
    }
    explanation.import = servers.map(Servers::into_import).transpose()?.flatten();
    Ok((explanation, directory))
}

/// Answer, also after an error: one peak without an answer is no reason to lose those of the others.
fn answered(answer: Result<Answer>) -> Result<Answer> {
    match answer {
        Err(error) if !error.is::<Interrupted>() => {
            Ok(Answer::NotExplained { reason: format!("{error:#}") })
        }
        answer => answer,
    }
}

/// Servers of one explanation.
struct Servers<'a> {
    order: &'a Order,
    directory: &'a ExplanationDir,
    coordinator: Coordinator<'a>,
    prepared: Prepared<'a>,
    tests: Tests,
    /// Trace of the import of SkyPilot by the first executor that wrote one: all import the same.
    import: RefCell<Option<Trace>>,
}

impl<'a> Servers<'a> {
    fn prepare(
        order: &'a Order,
        directory: &'a ExplanationDir,
        coordinator: Coordinator<'a>,
    ) -> Result<Self> {
        let plan = &order.evidence.plan;
        // The run's server is an isolated one, which has no login.
        let credentials = Credentials::None;
        let tests = coordinator.build_tests(&credentials, plan)?;
        let request = order.evidence.request.clone().unwrap_or_default();
        let alone = explanation::plan(plan, None);
        let prepared = Prepared::of_plan(coordinator, request, alone, credentials)?;
        let (found, wanted) = (&prepared.sky.facts, &order.environment.sky);
        ensure!(
            found.version == wanted.version && found.commit == wanted.commit,
            UsageErrors(vec![format!(
                "expected SkyPilot {} of the run, got {}: {} has changed since\n  hint: make a new \
                 run with `cargo xtask load`",
                named(&wanted.version, wanted.commit.as_deref()),
                named(&found.version, found.commit.as_deref()),
                plan.sky
            )])
        );
        Ok(Self { order, directory, coordinator, prepared, tests, import: RefCell::default() })
    }

    /// Trace of the import of SkyPilot, by a further server if none has it yet; `None` if no executor
    /// wrote one.
    fn into_import(self) -> Result<Option<Trace>> {
        if self.import.borrow().is_none() {
            self.coordinator.progress.note("Import of SkyPilot");
            let is_done =
                |run: &RunDir| Ok(run.read_traces()?.iter().any(|one| one.request.is_none()));
            self.run(None, Traced::Modules, IMPORT_LIMIT, is_done)?;
        }
        Ok(self.import.into_inner())
    }

    /// Trace of a request, by the first of the scenarios that sends one to the queue of the class.
    fn request(
        &self,
        class: ProcessClass,
        name: &str,
        scenarios: &[PlannedScenario],
    ) -> Result<Answer> {
        for scenario in scenarios {
            let Some(trace) = self.trace(class, name, scenario, Traced::Modules)? else { continue };
            let traced = self.trace(class, name, scenario, Traced::Allocations)?;
            let allocations = traced.and_then(|traced| traced.allocations);
            let trace = Box::new(Trace { allocations, ..trace });
            return Ok(Answer::Repeated { scenario: Some(scenario.id), trace });
        }
        let names: Vec<String> = scenarios.iter().map(|one| one.id.to_string()).collect();
        let reason = format!(
            "no {class} wrote a trace of {name} for {}; logs in {}",
            names.join(", "),
            self.directory.servers().display()
        );
        Ok(Answer::NotExplained { reason })
    }

    /// Trace of a request in a server of its scenario; `None` if no executor of the class ran one.
    fn trace(
        &self,
        class: ProcessClass,
        name: &str,
        scenario: &PlannedScenario,
        traced: Traced,
    ) -> Result<Option<Trace>> {
        let is_of_name = |requests: &ServerRequests| {
            requests.requests.iter().any(|request| request.name == name)
        };
        for _ in 0..ATTEMPTS {
            let is_done = |run: &RunDir| has_all_traces(run, name);
            let run = self.run(Some(scenario), traced, REQUEST_LIMIT, is_done)?;
            let requests: Option<ServerRequests> = read_optional(&run.server_requests())?;
            let Some(requests) = requests.filter(is_of_name) else { continue };
            let traces = run.read_traces()?;
            return Ok(explanation::trace_of(name, class, &traces, &requests).cloned());
        }
        Ok(None)
    }

    /// Trace of a request that the server itself starts.
    fn of_server(&self, id: &str) -> Result<Answer> {
        let trace = |traced| -> Result<Option<Trace>> {
            let run = self.run(None, traced, SERVER_LIMIT, |run| is_steady(run, id))?;
            let mut traces = run.read_traces()?.into_iter();
            Ok(traces.find(|trace| trace.request.as_deref() == Some(id)))
        };
        let Some(found) = trace(Traced::Modules)? else {
            let limit = humantime::format_duration(SERVER_LIMIT);
            let reason = format!("a fresh server did not run {id} within {limit}");
            return Ok(Answer::NotExplained { reason });
        };
        let allocations = trace(Traced::Allocations)?.and_then(|traced| traced.allocations);
        Ok(Answer::Repeated { scenario: None, trace: Box::new(Trace { allocations, ..found }) })
    }

    fn run(
        &self,
        scenario: Option<&PlannedScenario>,
        traced: Traced,
        limit: Duration,
        is_done: impl Fn(&RunDir) -> Result<bool>,
    ) -> Result<RunDir> {
        let plan = &explanation::plan(&self.order.evidence.plan, scenario);
        let server = TracedServer { plan, traced, under: &self.directory.servers(), limit };
        let run = server.run(&self.prepared, &self.tests, is_done)?;
        self.coordinator.signals.check()?;
        if traced == Traced::Modules {
            let mut import = self.import.borrow_mut();
            let found = || run.read_traces().ok()?.into_iter().find(|one| one.request.is_none());
            *import = import.take().or_else(found);
        }
        Ok(run)
    }
}

fn named(version: &str, commit: Option<&str>) -> String {
    match commit {
        Some(commit) => format!("{version} ({})", commit.get(..12).unwrap_or(commit)),
        None => version.to_owned(),
    }
}

/// Whether there is a whole trace of each request of a name that has ended.
fn has_all_traces(run: &RunDir, name: &str) -> Result<bool> {
    let requests: Option<ServerRequests> = read_optional(&run.server_requests())?;
    let traces = run.read_traces()?;
    let is_traced = |id: &str| {
        traces.iter().any(|trace| trace.is_whole && trace.request.as_deref() == Some(id))
    };
    let requests = requests.map(|requests| requests.requests).unwrap_or_default();
    let mut ended = requests.iter().filter(|one| one.name == name && one.finished.is_some());
    Ok(ended.all(|request| is_traced(&request.id)))
}

/// Whether the trace of a request has not been written anew for a while.
fn is_steady(run: &RunDir, id: &str) -> Result<bool> {
    for entry in fs::read_dir(run.traces())? {
        let entry = entry?;
        let is_its = entry.file_name().to_string_lossy().starts_with(&format!("{id}-"));
        // A clock that went backwards shows no time.
        let unchanged = entry.metadata().and_then(|facts| facts.modified());
        let unchanged = unchanged.ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
        if is_its && unchanged >= STEADY {
            return Ok(true);
        }
    }
    Ok(false)
}
