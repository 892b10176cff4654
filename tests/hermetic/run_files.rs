//! Files of made-up runs and profiles.

use skyload::analysis::Evidence;
use skyload::record::events::EventLog;
use skyload::record::profile::{ProfileLine, Wrote};
use skyload::record::request::RequestFile;
use skyload::record::server_metrics::MetricsLog;
use skyload::record::write_json;
use skyload::record::{JsonLines, ProfileDir, ProfileFiles, RunDir};
use tempfile::TempDir;

const WRITTEN: &str = "a temporary directory can be written";

/// Writes a finished run into a temporary directory.
pub(crate) fn write_run(evidence: &Evidence) -> (TempDir, RunDir) {
    let folder = tempfile::tempdir().expect(WRITTEN);
    let run = RunDir::create(&folder.path().join(evidence.run.as_str())).expect(WRITTEN);
    write_run_files(evidence, &run);
    (folder, run)
}

fn write_run_files(evidence: &Evidence, run: &RunDir) {
    if let Some(request) = &evidence.request {
        write_json(&run.request(), &RequestFile::of(request.clone())).expect(WRITTEN);
    }
    write_json(&run.plan(), &evidence.plan).expect(WRITTEN);
    if let Some(facts) = &evidence.facts {
        write_json(&run.facts(), facts).expect(WRITTEN);
    }
    if let Some(environment) = &evidence.environment {
        write_json(&run.environment(), environment).expect(WRITTEN);
    }
    if let Some(resources) = &evidence.resources {
        write_json(&run.resources(), resources).expect(WRITTEN);
    }
    if let Some(requests) = &evidence.server_requests {
        write_json(&run.server_requests(), requests).expect(WRITTEN);
    }
    if let Some(size) = &evidence.server_size {
        write_json(&run.server_size(), size).expect(WRITTEN);
    }
    if let Some(nodes) = &evidence.nodes {
        write_json(&run.nodes(), nodes).expect(WRITTEN);
    }
    for (scenario, outcome) in &evidence.outcomes {
        write_json(&run.outcome(*scenario), outcome).expect(WRITTEN);
    }
    let mut log = EventLog::begin(run).expect(WRITTEN);
    evidence.events.iter().for_each(|event| log.note(event.clone()).expect(WRITTEN));
    if !evidence.server_metrics.is_empty() {
        let mut log = MetricsLog::begin(run).expect(WRITTEN);
        evidence.server_metrics.iter().for_each(|line| log.write(line).expect(WRITTEN));
    }
    write_profile_files(evidence, &run.profile());
    run.write_checksums().expect(WRITTEN);
}

/// Writes the profile of a run into a temporary directory, as one that belongs to no run.
pub(crate) fn write_profile(evidence: &Evidence) -> (TempDir, ProfileDir) {
    let folder = tempfile::tempdir().expect(WRITTEN);
    let profile = ProfileDir::create(&folder.path().join("20261124-080000-test")).expect(WRITTEN);
    write_profile_files(evidence, &profile.files());
    (folder, profile)
}

fn write_profile_files(evidence: &Evidence, files: &ProfileFiles) {
    let mut lines = JsonLines::append_to(&files.samples).expect(WRITTEN);
    for (line, before) in evidence.profile.iter().zip(0..) {
        let mut line = line.clone();
        // Tests change the evidence, so the footer's counts are those of the written lines.
        if let ProfileLine::Footer { wrote, .. } = &mut line {
            *wrote = evidence.processes.as_ref().map(|table| Wrote {
                lines: before,
                processes: u64::try_from(table.processes.len()).unwrap_or(u64::MAX),
            });
        }
        lines.push(&line).expect(WRITTEN);
    }
    lines.flush().expect(WRITTEN);
    if let Some(table) = &evidence.processes {
        write_json(&files.processes, table).expect(WRITTEN);
    }
}
