//! The changes that tests make to a good run.

use std::time::Duration;

use skyload::analysis::{Evidence, Report, Verdict};
use skyload::class::ProcessClass;
use skyload::config::Thresholds;
use skyload::metric::{Amount, Limit, Metric};
use skyload::record::events::{Event, LoggedEvent};
use skyload::record::outcome::{Failure, ScenarioOutcome, SegmentOutcome};
use skyload::record::profile::{Ending, Phase, ProcessRecord, ProfileLine, Snapshot};
use skyload::record::resources::{ResourceLog, ResourceStep, Stage};
use skyload::scenario::ScenarioId;

use super::evidence::{at, four_users, good_run};

/// Changes that tests make to a good run.
pub(crate) trait Change {
    fn segment(&mut self) -> &mut SegmentOutcome;
    fn status(&mut self) -> &mut ScenarioOutcome;
    fn fail_iterations(&mut self, count: u64);
    fn client_fails(&mut self, count: u64);
    fn client_failed_before_it_was_told_apart(&mut self, count: u64);
    fn fail_iterations_of(&mut self, scenario: ScenarioId, count: u64);
    fn happens(&mut self, millis: u64, event: Event);
    fn silence(&mut self, from: u64, to: u64);
    fn record(&mut self, pid: u32) -> &mut ProcessRecord;
    fn limit(&mut self, metric: impl Into<Metric>, limit: impl Into<Amount>);
    fn snapshot(&mut self, phase: Phase) -> &mut Snapshot;
    fn zombies_from(&mut self, millis: u64, count: u32);
}

impl Change for Evidence {
    fn status(&mut self) -> &mut ScenarioOutcome {
        self.outcomes.get_mut(&ScenarioId::ApiStatus).expect("a test knows its own data")
    }

    fn segment(&mut self) -> &mut SegmentOutcome {
        &mut self.status().segments[0]
    }

    fn fail_iterations(&mut self, count: u64) {
        self.fail_iterations_of(ScenarioId::ApiStatus, count);
    }

    fn client_fails(&mut self, count: u64) {
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
            segment.tally.add(failure, None);
        }
    }

    fn client_failed_before_it_was_told_apart(&mut self, count: u64) {
        self.client_fails(count);
        let segment = self.segment();
        segment.client_failed -= count;
        segment.failed += count;
    }

    fn fail_iterations_of(&mut self, scenario: ScenarioId, count: u64) {
        let outcome = self.outcomes.get_mut(&scenario).expect("a test knows its own data");
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
            segment.tally.add(failure, None);
        }
    }

    fn happens(&mut self, millis: u64, event: Event) {
        let position = self.events.iter().position(|mark| mark.at > at(millis));
        let position = position.unwrap_or(self.events.len());
        self.events.insert(position, LoggedEvent { at: at(millis), event });
    }

    fn silence(&mut self, from: u64, to: u64) {
        self.profile.retain(|line| match line {
            ProfileLine::Sample(tick) => tick.at <= at(from) || tick.at >= at(to),
            _ => true,
        });
    }

    fn record(&mut self, pid: u32) -> &mut ProcessRecord {
        let table = self.processes.as_mut().expect("a test knows its own data");
        table
            .processes
            .iter_mut()
            .find(|record| record.identity.pid == pid)
            .expect("a test knows its own data")
    }

    fn limit(&mut self, metric: impl Into<Metric>, limit: impl Into<Amount>) {
        let metric = metric.into();
        self.plan.budgets.retain(|budget| budget.metric != metric);
        self.plan.budgets.push(Limit { metric, at_most: Some(limit.into()) });
    }

    fn snapshot(&mut self, phase: Phase) -> &mut Snapshot {
        let mut snapshots = self.profile.iter_mut().filter_map(|line| match line {
            ProfileLine::Snapshot(snapshot) => Some(snapshot),
            _ => None,
        });
        snapshots.find(|snapshot| snapshot.phase == phase).expect("a test knows its own data")
    }

    fn zombies_from(&mut self, millis: u64, count: u32) {
        for line in &mut self.profile {
            if let ProfileLine::Sample(tick) = line
                && tick.at >= at(millis)
            {
                tick.zombies = count;
            }
        }
    }
}

/// Users waited for longer than the plan allows.
pub(crate) fn slow(evidence: &mut Evidence) {
    let limits = Thresholds { p95: Some(Duration::from_millis(50)), ..Thresholds::default() };
    evidence.plan.thresholds = limits.limits(ScenarioId::ApiStatus).collect();
}

/// A cluster that scenarios share could not be set up or taken down.
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
        failure: Some(failure),
    };
    evidence.resources =
        Some(ResourceLog { steps: vec![step], verified: true, ..ResourceLog::default() });
}

/// The executors came and went between two ticks.
pub(crate) fn never_read(evidence: &mut Evidence) {
    for pid in [2, 3] {
        let record = evidence.record(pid);
        (record.peak, record.peak_while_starting) = (None, None);
        record.ending = Ending::Unread { unseen: None };
    }
    for line in &mut evidence.profile {
        if let ProfileLine::Sample(tick) = line {
            tick.classes.remove(&ProcessClass::ShortExecutor);
        }
    }
}

/// Asserts what a change to a good run amounts to, and that a finding says these words.
#[track_caller]
pub(crate) fn assert_follows(change: fn(&mut Evidence), verdict: Verdict, words: &str) {
    let mut evidence = good_run(&four_users());
    change(&mut evidence);
    let judgement = Report::assemble(&evidence);
    assert_eq!(judgement.verdict, verdict, "{judgement:#?}");
    let found = judgement.findings.iter().any(|finding| finding.message.contains(words));
    assert!(words.is_empty() || found, "`{words}` is not in {judgement:#?}");
}
