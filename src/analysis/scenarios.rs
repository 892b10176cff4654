//! Results of each scenario: state, latencies, and counts of iterations and errors.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::clock::Timestamp;
use crate::metric::ScenarioMetric;
use crate::plan::{LoadPlan, PlannedScenario};
use crate::record::outcome::{
    Ended, FailureTally, Latencies, LoadGeneratorOverhead, ScenarioOutcome, SegmentKind,
    SegmentOutcome, SuspectedWedge, Tally, throughput,
};
use crate::scenario::ScenarioId;
use crate::units::{self, Percent, total};

/// Results of one planned scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScenarioReport {
    /// ID of the scenario.
    pub id: ScenarioId,
    /// Number of users, each with one iteration per segment.
    pub users: u32,
    /// Maximum number of users with an iteration at the same time.
    pub concurrency: u32,
    /// State at the end of the run.
    pub state: ScenarioState,
    /// Latency per iteration over all segments but a warm-up; `None` if no iteration ended, and in reports of
    /// format 2.
    #[serde(default)]
    pub iteration_duration: Option<Stats>,
    /// Segments, in their order.
    pub segments: Vec<SegmentReport>,
    /// Counts of failures and expected errors of all segments, by type.
    pub failures: Vec<FailureTally>,
    /// Requests of `api:launch_cancel` that did not end within its limit, of all segments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspected_wedges: Vec<SuspectedWedge>,
    /// Overhead of the load generator; `None` without an outcome.
    pub cost: Option<LoadGeneratorOverhead>,
}

/// State of a scenario at the end of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioState {
    /// Every iteration ran, with an error rate within its threshold.
    Succeeded,
    /// Error rate above its threshold, suspected wedge, or scenario timeout reached.
    Failed,
    /// Scenario stopped before all iterations ran.
    Stopped,
    /// Process without an outcome, or without a completed iteration.
    NoResult,
    /// Some iterations failed because of the load generator's machine, such as a lack of open
    /// files; the error rate of the others is within its threshold.
    ClientFailed,
}

impl ScenarioState {
    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "ok",
            Self::Failed => "FAILED",
            Self::Stopped => "stopped",
            Self::NoResult => "no result",
            Self::ClientFailed => "load generator failed",
        }
    }
}

/// Kind of start of a segment: whether executors were running.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// First segment after a restart of the server: executors start and import SkyPilot.
    Cold,
    /// Later segment.
    Warm,
    /// Any segment on a server that was not restarted.
    Unknown,
}

/// Results of one segment: one synchronized iteration of all users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SegmentReport {
    /// Kind of the segment: an iteration, the warm-up, or a stage.
    #[serde(default)]
    pub kind: SegmentKind,
    /// Kind of start: cold, warm or unknown.
    pub start: Start,
    /// Time for which the iterations were scheduled.
    pub began: Timestamp,
    /// Time at which the last iteration ended.
    pub ended: Timestamp,
    /// Number of scheduled iterations.
    pub scheduled: u64,
    /// Number of iterations without any error.
    pub succeeded: u64,
    /// Number of iterations that ended in an expected error.
    pub expected_errors: u64,
    /// Number of iterations with an error that is expected on certain servers only, where it is
    /// unknown whether the server under test is one of them.
    #[serde(default)]
    pub unjudged: u64,
    /// Number of iterations that failed.
    pub failed: u64,
    /// Number of iterations that the load generator could not finish; not part of any other
    /// count but `scheduled`.
    #[serde(default)]
    pub client_failed: u64,
    /// Number of arrivals without a start, since as many iterations were active as may be;
    /// `None` without an arrival rate.
    #[serde(default)]
    pub dropped: Option<u64>,
    /// Number of iterations that still ran when the time of the load was over, of held connections
    /// those without a line by then; not part of any other count but `scheduled`.
    #[serde(default)]
    pub interrupted: u64,
    /// Completed iterations per second; `None` for a segment without a duration.
    pub throughput: Option<f64>,
    /// Number of retries, under the conditions of SkyPilot's SDK; of held connections, number of
    /// reconnects.
    pub retries: u64,
    /// Latency from the scheduled start to the last response.
    pub iteration_duration: Option<Stats>,
    /// Latency by step.
    pub steps: BTreeMap<String, Stats>,
    /// Delay of the starts after their scheduled times.
    pub send_lateness: Option<Stats>,
}

/// Statistics of durations, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stats {
    /// Number of durations.
    pub count: u64,
    /// Minimum, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub min: Duration,
    /// Arithmetic mean, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub avg: Duration,
    /// Median, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub p50: Duration,
    /// 90th percentile, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub p90: Duration,
    /// 95th percentile, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub p95: Duration,
    /// 99th percentile, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub p99: Duration,
    /// 99.9th percentile, in seconds; `None` in reports of earlier formats.
    #[serde(rename = "p99.9", default, with = "units::seconds::option")]
    #[schemars(with = "Option<crate::units::Seconds>")]
    pub p999: Option<Duration>,
    /// Maximum, in seconds.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub max: Duration,
}

impl Stats {
    /// Statistics of a distribution; `None` if it is empty.
    pub fn of(latencies: &Latencies) -> Option<Self> {
        Some(Self {
            count: latencies.count(),
            min: latencies.min()?,
            avg: latencies.mean()?,
            p50: latencies.percentile(50.0)?,
            p90: latencies.percentile(90.0)?,
            p95: latencies.percentile(95.0)?,
            p99: latencies.percentile(99.0)?,
            p999: latencies.percentile(99.9),
            max: latencies.max()?,
        })
    }

    /// Value of a statistic; `None` if the statistic is no latency.
    pub const fn latency(&self, statistic: ScenarioMetric) -> Option<Duration> {
        match statistic {
            ScenarioMetric::Min => Some(self.min),
            ScenarioMetric::Avg => Some(self.avg),
            ScenarioMetric::P50 => Some(self.p50),
            ScenarioMetric::P90 => Some(self.p90),
            ScenarioMetric::P95 => Some(self.p95),
            ScenarioMetric::P99 => Some(self.p99),
            ScenarioMetric::P999 => self.p999,
            ScenarioMetric::Max => Some(self.max),
            ScenarioMetric::ErrorRate | ScenarioMetric::Throughput | ScenarioMetric::Dropped => {
                None
            }
        }
    }

    /// Value of a statistic as reports show it; `None` also with too few samples for it.
    pub fn shown(&self, statistic: ScenarioMetric) -> Option<Duration> {
        self.latency(statistic).filter(|_| self.count >= statistic.row().samples)
    }
}

impl ScenarioReport {
    /// Name of a segment in tables: its stage, or its start; `all` for a single iteration.
    pub fn segment_name<'a>(&self, segment: &'a SegmentReport) -> &'a str {
        match (&segment.kind, self.segments.len(), segment.start) {
            (SegmentKind::Stage { text, .. }, _, _) => text,
            (SegmentKind::WarmUp, _, _) => "warm-up",
            (SegmentKind::Iteration, 1, _) => "all",
            (SegmentKind::Iteration, _, Start::Cold) => "cold",
            (SegmentKind::Iteration, _, Start::Warm) => "warm",
            (SegmentKind::Iteration, _, Start::Unknown) => "unknown",
        }
    }

    /// Whether the load lasted for a time: segments are a warm-up and stages.
    pub fn is_timed(&self) -> bool {
        self.segments.iter().any(|segment| segment.kind != SegmentKind::Iteration)
    }

    /// Segments of a load that lasted for a time, without its warm-up.
    pub fn stages(&self) -> impl Iterator<Item = &SegmentReport> {
        let is_stage = |kind: &SegmentKind| matches!(kind, SegmentKind::Stage { .. });
        self.segments.iter().filter(move |segment| is_stage(&segment.kind))
    }

    /// Number of completed iterations, over all segments.
    pub fn completed(&self) -> u64 {
        total(self.segments.iter().map(SegmentReport::completed))
    }

    /// Number of iterations with an error that may be expected, over all segments.
    pub fn unjudged(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.unjudged))
    }

    /// Number of iterations that the load generator could not finish, over all segments.
    pub fn client_failed(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.client_failed))
    }

    /// Number of retries, over all segments.
    pub fn retries(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.retries))
    }

    /// Number of iterations that ended in an expected error, over all segments.
    pub fn expected_errors(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.expected_errors))
    }

    /// Whether iterations started at a rate.
    pub fn has_arrival_rate(&self) -> bool {
        self.segments.iter().any(|segment| segment.dropped.is_some())
    }

    /// Number of arrivals without a start, over all segments.
    pub fn dropped(&self) -> u64 {
        total(self.segments.iter().filter_map(|segment| segment.dropped))
    }

    /// Number of iterations that were interrupted at the end, over all segments.
    pub fn interrupted(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.interrupted))
    }

    /// Number of failed iterations, over all segments.
    pub fn failed(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.failed))
    }
}

impl SegmentReport {
    /// Number of completed iterations, whether they succeeded or not.
    pub fn completed(&self) -> u64 {
        total([self.succeeded, self.expected_errors, self.unjudged, self.failed])
    }
}

/// Completed iterations of all scenarios that do not merely accompany the load.
pub(super) fn completed(scenarios: &[ScenarioReport]) -> u64 {
    let of_users = scenarios.iter().filter(|one| !one.id.kind().accompanies_load());
    total(of_users.map(ScenarioReport::completed))
}

pub(super) fn assemble(evidence: &Evidence) -> Vec<ScenarioReport> {
    let plan = &evidence.plan;
    let report_of = |planned: &PlannedScenario| {
        let outcome = evidence.outcomes.get(&planned.id);
        report(planned, outcome, plan)
    };
    plan.scenarios.iter().map(report_of).collect()
}

fn report(
    planned: &PlannedScenario,
    outcome: Option<&ScenarioOutcome>,
    plan: &LoadPlan,
) -> ScenarioReport {
    let mut failures = Tally::default();
    let mut iteration_duration = Latencies::default();
    let segments = outcome.map_or(&[][..], |outcome| &outcome.segments);
    for segment in segments {
        failures.add_all(&segment.tally);
        // A warm-up counts for nothing but errors.
        if segment.kind != SegmentKind::WarmUp {
            iteration_duration.add(&segment.iteration_duration);
        }
    }
    ScenarioReport {
        id: planned.id,
        users: planned.users,
        concurrency: planned.concurrency,
        state: outcome.map_or(ScenarioState::NoResult, |outcome| state(outcome, plan)),
        iteration_duration: Stats::of(&iteration_duration),
        segments: segments
            .iter()
            .enumerate()
            .map(|(index, segment)| segment_report(index, segment, !plan.is_remote()))
            .collect(),
        failures: failures.kinds().to_vec(),
        suspected_wedges: segments.iter().flat_map(|it| it.suspected_wedges.clone()).collect(),
        cost: outcome.map(|outcome| outcome.cost),
    }
}

/// State of a scenario, by the share of iterations that may fail. Used by the report and by the
/// test that runs the scenario.
pub fn state(outcome: &ScenarioOutcome, plan: &LoadPlan) -> ScenarioState {
    let failed = total(outcome.segments.iter().map(|segment| segment.failed));
    let completed = total(outcome.segments.iter().map(SegmentOutcome::completed));
    let too_many = Percent::of(failed, completed)
        .is_some_and(|share| !plan.allows_error_rate(outcome.scenario, share));
    match outcome.ended {
        // Failures that were seen count, even if the scenario was stopped later.
        _ if too_many => ScenarioState::Failed,
        // What the scenario looks for, whatever share of its iterations may fail.
        _ if outcome.segments.iter().any(|it| !it.suspected_wedges.is_empty()) => {
            ScenarioState::Failed
        }
        Ended::TimedOut => ScenarioState::Failed,
        Ended::Stopped => ScenarioState::Stopped,
        Ended::Finished if outcome.segments.iter().any(|segment| segment.client_failed > 0) => {
            ScenarioState::ClientFailed
        }
        // Without a completed iteration there is nothing to pass.
        Ended::Finished if completed == 0 => ScenarioState::NoResult,
        Ended::Finished => ScenarioState::Succeeded,
    }
}

fn segment_report(index: usize, segment: &SegmentOutcome, restarted: bool) -> SegmentReport {
    SegmentReport {
        kind: segment.kind.clone(),
        start: match index {
            _ if !restarted => Start::Unknown,
            0 => Start::Cold,
            _ => Start::Warm,
        },
        began: segment.began,
        ended: segment.ended,
        scheduled: segment.scheduled,
        succeeded: segment.succeeded,
        expected_errors: segment.expected_errors,
        unjudged: segment.unjudged,
        failed: segment.failed,
        client_failed: segment.client_failed,
        dropped: segment.dropped,
        interrupted: segment.interrupted,
        throughput: throughput(segment.completed(), segment.ended.since(segment.began)),
        retries: segment.retries,
        iteration_duration: Stats::of(&segment.iteration_duration),
        steps: segment
            .steps
            .iter()
            .filter_map(|(step, latencies)| Some((step.clone(), Stats::of(latencies)?)))
            .collect(),
        send_lateness: Stats::of(&segment.send_lateness),
    }
}
