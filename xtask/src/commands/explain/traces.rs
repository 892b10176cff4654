//! Traces of a server whose executors were traced: whether they are there, and why one is not.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use skyload::class::ProcessClass;
use skyload::record::outcome::ScenarioOutcome;
use skyload::record::trace::Trace;
use skyload::record::{RunDir, ServerRequests, read_optional};

/// Time without a new trace after which a request of the server has shown what it takes.
const STEADY: Duration = Duration::from_secs(15);

/// Trace from one of the servers, with what limits it or the reason for which there is none.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) trace: Option<Trace>,
    pub(super) notes: Vec<String>,
}

impl Found {
    /// Trace of `what` that a server has left, or the reason for which there is none.
    pub(super) fn of(
        run: &RunDir,
        class: ProcessClass,
        what: &str,
        trace: Option<&Trace>,
    ) -> Result<Self> {
        let notes = match trace {
            Some(_) => Vec::new(),
            None => vec![format!("no {class} wrote a trace of {what}{}", errors(run)?)],
        };
        Ok(Self { trace: trace.cloned(), notes })
    }
}

/// Errors of the tracing and the place of the logs, to follow a sentence.
pub(super) fn errors(run: &RunDir) -> Result<String> {
    let errors = run.read_trace_errors()?;
    let errors = if errors.is_empty() { String::new() } else { format!(": {}", errors.join("; ")) };
    Ok(format!("{errors}; see {}", place(run)))
}

/// Directory of a server, below that of the explanation.
pub(super) fn place(run: &RunDir) -> String {
    format!("servers/{}", run.id())
}

/// Whether the only iteration of a scenario did not do what it is for. A scenario that left no
/// outcome did not.
pub(super) fn has_failed(outcome: Option<&ScenarioOutcome>) -> bool {
    let segments = outcome.map(|outcome| outcome.segments.as_slice()).unwrap_or_default();
    !segments.iter().any(|segment| segment.completed() > segment.failed)
}

/// Whether there is a whole trace of each request of a name that has ended.
pub(super) fn has_all_traces(run: &RunDir, name: &str) -> Result<bool> {
    let requests: Option<ServerRequests> = read_optional(&run.server_requests())?;
    let traces = run.read_traces()?;
    let is_traced = |id: &str| {
        traces.iter().any(|trace| trace.is_whole && trace.request.as_deref() == Some(id))
    };
    let requests = requests.map(|requests| requests.requests).unwrap_or_default();
    let mut ended = requests.iter().filter(|one| one.name == name && one.finished.is_some());
    Ok(ended.all(|request| is_traced(&request.id)))
}

/// Check that reads files again only after a change of the traces or of the server's list of
/// requests. To parse all of them at each look would take CPU time from what is traced.
pub(super) fn after_changes(
    mut check: impl FnMut(&RunDir) -> Result<bool>,
) -> impl FnMut(&RunDir) -> Result<bool> {
    let mut checked = None;
    move |run| {
        // Before the check: a file that changes meanwhile is read at the next look.
        let now = Some(changes(run)?);
        if checked == now {
            return Ok(false);
        }
        checked = now;
        check(run)
    }
}

/// Files with the traces of a server, and its list of requests, each with the time of its last
/// change.
fn changes(run: &RunDir) -> Result<BTreeMap<OsString, SystemTime>> {
    let mut changes = BTreeMap::new();
    for entry in fs::read_dir(run.traces())? {
        let entry = entry?;
        let name = entry.file_name();
        // A file that is being written has such a name, and soon another.
        if !name.as_encoded_bytes().starts_with(b".") {
            changes.insert(name, entry.metadata()?.modified()?);
        }
    }
    let list = run.server_requests();
    if let Ok(facts) = fs::metadata(&list) {
        changes.insert(list.into_os_string(), facts.modified()?);
    }
    Ok(changes)
}

/// Whether there is a trace of a request, and none of any executor that ran it has been written anew
/// for a while.
pub(super) fn is_steady(run: &RunDir, id: &str) -> Result<bool> {
    let mut is_any = false;
    for entry in fs::read_dir(run.traces())? {
        let entry = entry?;
        let name = entry.file_name();
        // Of another request, whose ID only begins in the same way, the rest is no process ID.
        let rest = name.to_str().and_then(|name| name.strip_prefix(id)?.strip_prefix('-'));
        let pid = rest.and_then(|rest| rest.strip_suffix(".json")?.parse::<u32>().ok());
        if pid.is_none() {
            continue;
        }
        // A clock that went backwards shows no time.
        let unchanged = entry.metadata().and_then(|facts| facts.modified());
        let unchanged = unchanged.ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
        if unchanged < STEADY {
            return Ok(false);
        }
        is_any = true;
    }
    Ok(is_any)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::File;

    use serde_json::json;
    use skyload::clock::Timestamp;
    use skyload::record::Version;
    use skyload::record::outcome::{Ended, LoadGeneratorOverhead, SegmentOutcome};
    use skyload::scenario::ScenarioId;
    use tempfile::TempDir;

    use super::*;

    fn run() -> (TempDir, RunDir) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(&folder.path().join("20261128-a")).unwrap();
        fs::create_dir(run.traces()).unwrap();
        (folder, run)
    }

    /// File among the traces, last written before this many seconds.
    fn write(run: &RunDir, name: &str, content: &str, seconds: u64) {
        let path = run.traces().join(name);
        fs::write(&path, content).unwrap();
        let at = SystemTime::now() - Duration::from_secs(seconds);
        File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
    }

    #[test]
    fn a_request_is_steady_when_no_executor_has_written_its_trace_for_a_while() {
        let (_folder, run) = run();
        let is_steady = || is_steady(&run, "x-daemon").unwrap();
        write(&run, "x-daemon-other-7.json", "{}", 60);
        write(&run, ".x-daemon-7.json", "{", 60);
        assert!(!is_steady(), "another request, and one that is being written");
        write(&run, "x-daemon-7.json", "{}", 60);
        write(&run, "x-daemon-other-7.json", "{}", 0);
        assert!(is_steady());
        write(&run, "x-daemon-8.json", "{}", 10);
        assert!(!is_steady(), "another executor runs it now");
        write(&run, "x-daemon-8.json", "{}", 16);
        assert!(is_steady());
    }

    #[test]
    fn traces_are_checked_again_only_after_a_change() {
        let (_folder, run) = run();
        let checks = Cell::new(0);
        let mut is_done = after_changes(|_| {
            checks.set(checks.get() + 1);
            Ok(false)
        });
        let mut checks_after_looks = || {
            assert!(!is_done(&run).unwrap() && !is_done(&run).unwrap());
            checks.get()
        };
        assert_eq!(checks_after_looks(), 1);
        write(&run, "a-7.json", "{}", 60);
        assert_eq!(checks_after_looks(), 2, "a trace");
        write(&run, ".a-8.json", "{", 60);
        assert_eq!(checks_after_looks(), 2, "one that is being written");
        write(&run, "a-7.json", "{}", 10);
        assert_eq!(checks_after_looks(), 3, "a trace of the same name");
        fs::write(run.server_requests(), "{}").unwrap();
        assert_eq!(checks_after_looks(), 4, "the list of requests");
    }

    #[test]
    fn a_scenario_has_failed_unless_an_iteration_has_not() {
        let outcome = |change: fn(&mut SegmentOutcome)| {
            let mut segment = SegmentOutcome::begin(Timestamp::from_micros(0), 1);
            change(&mut segment);
            ScenarioOutcome {
                version: Version,
                scenario: ScenarioId::ApiStatus,
                process: None,
                segments: vec![segment],
                ended: Ended::Finished,
                cost: LoadGeneratorOverhead::default(),
                activity: None,
            }
        };
        assert!(has_failed(None));
        assert!(has_failed(Some(&outcome(|_| ()))));
        assert!(has_failed(Some(&outcome(|it| it.failed = 1))));
        assert!(has_failed(Some(&outcome(|it| it.client_failed = 1))));
        assert!(!has_failed(Some(&outcome(|it| it.succeeded = 1))));
        assert!(!has_failed(Some(&outcome(|it| it.expected_errors = 1))));
    }

    #[test]
    fn a_missing_trace_has_the_errors_of_the_tracing_as_its_reason() {
        let (_folder, run) = run();
        let class = ProcessClass::LongExecutor;
        let of = |trace| Found::of(&run, class, "sky.launch", trace).unwrap();
        let without = "no long-executor wrote a trace of sky.launch; see servers/20261128-a";
        assert_eq!(of(None).notes, [without]);
        write(&run, "error-7.txt", "executor has no runner\nmore", 0);
        let with = "no long-executor wrote a trace of sky.launch: executor has no runner; see \
                    servers/20261128-a";
        assert_eq!(of(None).notes, [with]);
        let trace: Trace = serde_json::from_value(json!({
            "pid": 7, "queue": "long", "request": "1", "earlier-requests": 0, "is-whole": true,
            "seconds": 1.5, "rss-before": 10, "rss-after": 90, "mark-before": 12, "mark-after": 112,
            "modules": [], "allocations": null,
        }))
        .unwrap();
        let found = of(Some(&trace));
        assert_eq!((found.trace, found.notes), (Some(trace.clone()), Vec::new()));
    }
}
