//! What users of each scenario saw.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::clock::Timestamp;
use crate::metric::ScenarioMetric;
use crate::plan::PlannedScenario;
use crate::record::outcome::{
    Ended, FailureTally, Latencies, LoadGeneratorOverhead, ScenarioOutcome, SegmentOutcome, Tally,
};
use crate::scenario::ScenarioId;
use crate::units::{self, Percent, total};

/// One planned scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScenarioReport {
    /// Which scenario.
    pub id: ScenarioId,
    /// Users, each with one iteration per segment.
    pub users: u32,
    /// Users that were at it at once.
    pub concurrency: u32,
    /// How it ended.
    pub state: ScenarioState,
    /// Latency over all segments; `None` where no iteration ended, and in reports of format 2.
    #[serde(default)]
    pub iteration_duration: Option<Stats>,
    /// Its segments.
    pub segments: Vec<SegmentReport>,
    /// Failures and refusals of all segments, by kind.
    pub failures: Vec<FailureTally>,
    /// What the client cost; `None` when it left no outcome.
    pub cost: Option<LoadGeneratorOverhead>,
}

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioState {
    /// All iterations have run, and no more failed than may.
    Succeeded,
    /// More iterations failed than may, or it ran into its time limit.
    Failed,
    /// It was stopped before all iterations ran.
    Stopped,
    /// Its process left no outcome.
    NoResult,
    /// Some of its iterations failed for want of something on the load generator's machine, and
    /// no more of the others than may.
    ClientFailed,
}

impl ScenarioState {
    /// State in words.
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

/// Whether executors were up when a segment began.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The first segment: executors are started for it, and import SkyPilot first.
    Cold,
    /// A later segment.
    Warm,
    /// The server was not restarted, so nobody knows.
    Unknown,
}

/// One segment of iterations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SegmentReport {
    /// The first segment or a later one.
    pub start: Start,
    /// When its iterations were scheduled.
    pub began: Timestamp,
    /// When the last of them ended.
    pub ended: Timestamp,
    /// Iterations that were scheduled.
    pub scheduled: u64,
    /// Iterations with right answers only.
    pub succeeded: u64,
    /// Iterations with a refusal that was right.
    pub expected_errors: u64,
    /// Iterations with a refusal of which nobody knows whether it was right.
    #[serde(default)]
    pub unjudged: u64,
    /// Iterations with a failure.
    pub failed: u64,
    /// Iterations that the load generator could not finish: in no other count.
    #[serde(default)]
    pub client_failed: u64,
    /// Completed iterations per second.
    pub throughput: Option<f64>,
    /// How often something was sent again, as SkyPilot's SDK does.
    pub retries: u64,
    /// From the scheduled start to the last answer.
    pub iteration_duration: Option<Stats>,
    /// By step.
    pub steps: BTreeMap<String, Stats>,
    /// How much later than scheduled iterations began.
    pub send_lateness: Option<Stats>,
}

/// A distribution of durations, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stats {
    /// How many.
    pub count: u64,
    /// The shortest.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub min: Duration,
    /// The average.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub avg: Duration,
    /// The median.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub p50: Duration,
    /// The 90th percentile.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub p90: Duration,
    /// The 95th percentile.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub p95: Duration,
    /// The 99th percentile.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub p99: Duration,
    /// The longest.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::units::Seconds")]
    pub max: Duration,
}

impl Stats {
    /// The figures of a distribution; `None` when it is empty.
    pub fn of(latencies: &Latencies) -> Option<Self> {
        Some(Self {
            count: latencies.count(),
            min: latencies.min()?,
            avg: latencies.mean()?,
            p50: latencies.percentile(50.0)?,
            p90: latencies.percentile(90.0)?,
            p95: latencies.percentile(95.0)?,
            p99: latencies.percentile(99.0)?,
            max: latencies.max()?,
        })
    }

    /// Latency of a statistic; `None` where the statistic is no latency.
    pub const fn latency(&self, statistic: ScenarioMetric) -> Option<Duration> {
        match statistic {
            ScenarioMetric::Min => Some(self.min),
            ScenarioMetric::Avg => Some(self.avg),
            ScenarioMetric::P50 => Some(self.p50),
            ScenarioMetric::P90 => Some(self.p90),
            ScenarioMetric::P95 => Some(self.p95),
            ScenarioMetric::P99 => Some(self.p99),
            ScenarioMetric::Max => Some(self.max),
            ScenarioMetric::ErrorRate | ScenarioMetric::Throughput => None,
        }
    }

    /// Latency of a statistic as reports show it: only from enough samples on.
    pub fn shown(&self, statistic: ScenarioMetric) -> Option<Duration> {
        self.latency(statistic).filter(|_| self.count >= statistic.row().samples)
    }
}

impl ScenarioReport {
    /// What one of its segments is called: only where there are several is it known which
    /// one met executors that were up.
    pub fn start_name(&self, segment: &SegmentReport) -> &'static str {
        match (self.segments.len(), segment.start) {
            (1, _) => "all",
            (_, Start::Cold) => "cold",
            (_, Start::Warm) => "warm",
            (_, Start::Unknown) => "unknown",
        }
    }

    /// Iterations that came to an end, over all segments.
    pub fn completed(&self) -> u64 {
        total(self.segments.iter().map(SegmentReport::completed))
    }

    /// Iterations with a refusal of which nobody knows whether it was right, over all segments.
    pub fn unjudged(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.unjudged))
    }

    /// Iterations that the load generator could not finish, over all segments.
    pub fn client_failed(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.client_failed))
    }

    /// How often something was sent again, over all segments.
    pub fn retries(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.retries))
    }

    /// Iterations that ended in an expected error, over all segments.
    pub fn expected_errors(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.expected_errors))
    }

    /// Iterations with a failure, over all segments.
    pub fn failed(&self) -> u64 {
        total(self.segments.iter().map(|segment| segment.failed))
    }
}

impl SegmentReport {
    /// Iterations that came to an end.
    pub fn completed(&self) -> u64 {
        total([self.succeeded, self.expected_errors, self.unjudged, self.failed])
    }
}

pub(super) fn assemble(evidence: &Evidence) -> Vec<ScenarioReport> {
    let plan = &evidence.plan;
    let report_of = |planned: &PlannedScenario| {
        let outcome = evidence.outcomes.get(&planned.id);
        report(planned, outcome, plan.error_rate(planned.id), !plan.is_remote())
    };
    plan.scenarios.iter().map(report_of).collect()
}

fn report(
    planned: &PlannedScenario,
    outcome: Option<&ScenarioOutcome>,
    allowed: Percent,
    restarted: bool,
) -> ScenarioReport {
    let mut failures = Tally::default();
    let mut iteration_duration = Latencies::default();
    let segments = outcome.map_or(&[][..], |outcome| &outcome.segments);
    for segment in segments {
        failures.add_all(&segment.tally);
        iteration_duration.add(&segment.iteration_duration);
    }
    ScenarioReport {
        id: planned.id,
        users: planned.users,
        concurrency: planned.concurrency,
        state: outcome.map_or(ScenarioState::NoResult, |outcome| state(outcome, allowed)),
        iteration_duration: Stats::of(&iteration_duration),
        segments: segments
            .iter()
            .enumerate()
            .map(|(index, segment)| segment_report(index, segment, restarted))
            .collect(),
        failures: failures.kinds().to_vec(),
        cost: outcome.map(|outcome| outcome.cost),
    }
}

/// The one rule for when a scenario has failed, of whose iterations a share is allowed to;
/// also what its own test asserts.
pub fn state(outcome: &ScenarioOutcome, allowed: Percent) -> ScenarioState {
    let failed = total(outcome.segments.iter().map(|segment| segment.failed));
    let completed = total(outcome.segments.iter().map(SegmentOutcome::completed));
    let too_many = Percent::of(failed, completed).is_some_and(|share| share > allowed);
    match outcome.ended {
        _ if too_many => ScenarioState::Failed,
        Ended::TimedOut => ScenarioState::Failed,
        Ended::Stopped => ScenarioState::Stopped,
        Ended::Finished if outcome.segments.iter().any(|segment| segment.client_failed > 0) => {
            ScenarioState::ClientFailed
        }
        // No iterations ran, so nothing was proved.
        Ended::Finished if completed == 0 => ScenarioState::NoResult,
        Ended::Finished => ScenarioState::Succeeded,
    }
}

/// Completed iterations per second; `None` where they took no time.
#[expect(clippy::cast_precision_loss, reason = "counts of iterations are far below 2^52")]
pub(super) fn throughput(completed: u64, took: Duration) -> Option<f64> {
    let seconds = took.as_secs_f64();
    (seconds > 0.0).then(|| completed as f64 / seconds)
}

fn segment_report(index: usize, segment: &SegmentOutcome, restarted: bool) -> SegmentReport {
    SegmentReport {
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
