//! Traces of a server whose executors were traced: whether they are there, and why one is not.

use std::fs;
use std::time::Duration;

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
    use std::fs::File;
    use std::time::SystemTime;

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
