//! Changes that tests make to a good run, and assertions on the result.

use std::time::Duration;

use skyload::analysis::{Evidence, Report, Verdict};
use skyload::class::ProcessClass;
use skyload::metric::{Amount, Limit, Metric};
use skyload::record::events::{Event, LoggedEvent};
use skyload::record::outcome::{Failure, ScenarioOutcome, SegmentOutcome};
use skyload::record::profile::{Ending, Phase, ProcessRecord, ProfileLine, Snapshot};
use skyload::record::resources::{ResourceLog, ResourceStep, Stage};
use skyload::scenario::ScenarioId;

use super::evidence::{at, four_users, good_run};

/// Changes that tests make to a good run.
pub(crate) trait Change {
    /// First segment of `api:status`.
    fn segment(&mut self) -> &mut SegmentOutcome;
    /// Outcome of `api:status`.
    fn status(&mut self) -> &mut ScenarioOutcome;
    /// Lets iterations of `api:status` fail.
    fn fail_iterations(&mut self, count: u64);
    /// Lets iterations of `api:status` fail because of the load generator.
    fn load_generator_fails(&mut self, count: u64);
    /// Lets iterations of `api:status` fail because of the load generator, as earlier builds
    /// recorded such failures: among the failed ones.
    fn load_generator_fails_in_old_format(&mut self, count: u64);
    /// Lets iterations of a scenario fail.
    fn fail_iterations_of(&mut self, scenario: ScenarioId, count: u64);
    /// Adds an event, `millis` after the start of the run.
    fn happens(&mut self, millis: u64, event: Event);
    /// Removes all samples between two times, exclusive, in ms after the start of the run.
    fn silence(&mut self, from: u64, to: u64);
    /// Record of a process: 1 is the server, 2 and 3 are short executors.
    fn record(&mut self, pid: u32) -> &mut ProcessRecord;
    /// Sets a budget.
    fn limit(&mut self, metric: impl Into<Metric>, limit: impl Into<Amount>);
    /// Sets thresholds: `api:status p95 < 5s`.
    fn thresholds(&mut self, texts: &[&str]);
    /// Snapshot at the end of a phase.
    fn snapshot(&mut self, phase: Phase) -> &mut Snapshot;
    /// Sets the number of zombies in all samples from a time on, in ms after the start of the run.
    fn zombies_from(&mut self, millis: u64, count: u32);
}

impl Change for Evidence {
    fn status(&mut self) -> &mut ScenarioOutcome {
        self.outcomes.get_mut(&ScenarioId::ApiStatus).expect("the test's data is valid")
    }

    fn segment(&mut self) -> &mut SegmentOutcome {
        &mut self.status().segments[0]
    }

    fn fail_iterations(&mut self, count: u64) {
        self.fail_iterations_of(ScenarioId::ApiStatus, count);
    }

    fn load_generator_fails(&mut self, count: u64) {
        let segment = self.segment();
        segment.succeeded -= count;
        segment.client_failed += count;
        for _ in 0..count {
            let failure = Failure {
                step: "status".to_owned(),
                status: None,
                error_type: "load-generator-out-of-open-files".to_owned(),
                message: "Too many open files".to_owned(),
            };
            segment.tally.add(segment.began, failure, None);
        }
    }

    fn load_generator_fails_in_old_format(&mut self, count: u64) {
        self.load_generator_fails(count);
        let segment = self.segment();
        segment.client_failed -= count;
        segment.failed += count;
    }

    fn fail_iterations_of(&mut self, scenario: ScenarioId, count: u64) {
        let outcome = self.outcomes.get_mut(&scenario).expect("the test's data is valid");
        let segment = &mut outcome.segments[0];
        segment.succeeded -= count;
        segment.failed += count;
        for _ in 0..count {
            let failure = Failure {
                step: "status".to_owned(),
                status: Some(500),
                error_type: "ValueError".to_owned(),
                message: "no".to_owned(),
            };
            segment.tally.add(segment.began, failure, None);
        }
    }

    fn happens(&mut self, millis: u64, event: Event) {
        let position = self.events.iter().position(|logged| logged.at > at(millis));
        let position = position.unwrap_or(self.events.len());
        self.events.insert(position, LoggedEvent { at: at(millis), event });
    }

    fn silence(&mut self, from: u64, to: u64) {
        self.profile.retain(|line| match line {
            ProfileLine::Sample(sample) => sample.at <= at(from) || sample.at >= at(to),
            _ => true,
        });
    }

    fn record(&mut self, pid: u32) -> &mut ProcessRecord {
        let table = self.processes.as_mut().expect("the test's data is valid");
        table
            .processes
            .iter_mut()
            .find(|record| record.identity.pid == pid)
            .expect("the test's data is valid")
    }

    fn limit(&mut self, metric: impl Into<Metric>, limit: impl Into<Amount>) {
        let metric = metric.into();
        self.plan.budgets.retain(|budget| budget.metric != metric);
        self.plan.budgets.push(Limit { metric, at_most: Some(limit.into()) });
    }

    fn thresholds(&mut self, texts: &[&str]) {
        let parse = |text: &&str| text.parse().expect("the test's data is valid");
        self.plan.thresholds = texts.iter().map(parse).collect();
    }

    fn snapshot(&mut self, phase: Phase) -> &mut Snapshot {
        let mut snapshots = self.profile.iter_mut().filter_map(|line| match line {
            ProfileLine::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        });
        snapshots.find(|snapshot| snapshot.phase == phase).expect("the test's data is valid")
    }

    fn zombies_from(&mut self, millis: u64, count: u32) {
        for line in &mut self.profile {
            if let ProfileLine::Sample(sample) = line
                && sample.at >= at(millis)
            {
                sample.zombies = count;
            }
        }
    }
}

/// Sets a threshold that the latencies of `api:status` exceed.
pub(crate) fn slow(evidence: &mut Evidence) {
    evidence.thresholds(&["api:status p95 <= 50ms"]);
}

/// Lets setup or teardown of the shared cluster fail.
pub(crate) fn resource_fails(evidence: &mut Evidence, stage: Stage, message: &str) {
    let failure = Failure {
        step: "launch".to_owned(),
        status: Some(500),
        error_type: "ResourcesUnavailableError".to_owned(),
        message: message.to_owned(),
    };
    let step = ResourceStep {
        stage,
        need: None,
        what: "a cluster".to_owned(),
        infra: "slurm/loop".to_owned(),
        took: Duration::from_secs(1),
        ended: None,
        failure: Some(failure),
    };
    evidence.resources =
        Some(ResourceLog { steps: vec![step], verified: true, ..ResourceLog::default() });
}

/// Lets both executors exit unread, as if they had lived between two samples.
pub(crate) fn never_read(evidence: &mut Evidence) {
    for pid in [2, 3] {
        let record = evidence.record(pid);
        (record.peak, record.peak_while_starting) = (None, None);
        record.ending = Ending::Unread { unseen: None };
    }
    for line in &mut evidence.profile {
        if let ProfileLine::Sample(sample) = line {
            sample.classes.remove(&ProcessClass::ShortExecutor);
        }
    }
}

/// Asserts the verdict on a good run after a change, and that a finding's message contains
/// `expected`.
#[track_caller]
pub(crate) fn assert_verdict(change: fn(&mut Evidence), verdict: Verdict, expected: &str) {
    let mut evidence = good_run(&four_users());
    change(&mut evidence);
    let report = Report::assemble(&evidence);
    assert_eq!(report.verdict, verdict, "{report:#?}");
    let is_found = report.findings.iter().any(|finding| finding.message.contains(expected));
    assert!(expected.is_empty() || is_found, "no finding has `{expected}`: {report:#?}");
}
