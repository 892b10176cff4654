//! Outcome of a scenario, recorded by its process: `outcomes/<scenario>.json`.
//!
//! The file is written by [`crate::traffic`] before anything is asserted, so that a failed
//! scenario has its figures too. A missing file means that the process exited without a result,
//! and makes the run inconclusive.

mod activity;
mod client_fault;
pub mod error_type;
mod failure;
mod figures;
mod latencies;
mod progress;
mod suspected_wedge;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use activity::{Activity, ActivityWindow, WindowLatency};
pub use client_fault::ClientFault;
pub use failure::{Failure, FailureTally, Tally};
pub(crate) use figures::throughput;
pub use latencies::Latencies;
pub use progress::ScenarioProgress;
pub use suspected_wedge::{
    CancelledRequest, LimitedSince, RequestExecutor, RequestRecord, SuspectedWedge,
};

use super::{Document, Version, v2};
use crate::clock::Timestamp;
use crate::credentials::Credentials;
use crate::ids::ProcessIdentity;
use crate::scenario::ScenarioId;
use crate::units;
use crate::units::ByteSize;

/// Outcome of a scenario, content of `outcomes/<scenario>.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScenarioOutcome {
    /// Format of the file.
    pub version: Version<3>,
    /// Scenario.
    pub scenario: ScenarioId,
    /// Process that ran the scenario.
    pub process: Option<ProcessIdentity>,
    /// Segments in the order of their iterations.
    pub segments: Vec<SegmentOutcome>,
    /// End of the scenario.
    pub ended: Ended,
    /// Overhead of the scenario's process and its children.
    pub cost: LoadGeneratorOverhead,
    /// Activity over time; `None` without any, and in runs of builds that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
}

impl Document for ScenarioOutcome {
    const KIND: &'static str = "scenario outcome";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(_version: u32, content: Value) -> Value {
        v2::outcome(content)
    }
}

impl ScenarioOutcome {
    /// Removes the secret from every message: the server or a `sky` process may have repeated
    /// the credentials.
    pub fn hide(&mut self, credentials: &Credentials) {
        for segment in &mut self.segments {
            segment.tally.map_messages(|message| credentials.hide_in(message));
            for wedge in &mut segment.suspected_wedges {
                wedge.hide(|text| credentials.hide_in(text));
            }
        }
    }
}

/// End of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// Completion of all iterations.
    Finished,
    /// Stop by a signal, or after the exit of the coordinator.
    Stopped,
    /// Time limit reached with iterations still running.
    TimedOut,
}

/// Kind of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// Synchronized iteration of all users.
    #[default]
    Iteration,
    /// Beginning of a load that lasts for a time, not subject to thresholds.
    WarmUp,
    /// Stage of a load that lasts for a time.
    Stage {
        /// Number of the stage, counted from 1.
        number: u32,
        /// Stage as text: `50 for 5m`.
        text: String,
    },
}

/// Segment of a scenario: one synchronized iteration of all its users, or one stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SegmentOutcome {
    /// Kind of the segment.
    #[serde(default)]
    pub kind: SegmentKind,
    /// Scheduled start of the iterations.
    pub began: Timestamp,
    /// End of the last iteration.
    pub ended: Timestamp,
    /// Number of scheduled iterations.
    pub scheduled: u64,
    /// Number of iterations in which every request had the expected response.
    pub succeeded: u64,
    /// Number of iterations with an expected error and no failure.
    pub expected_errors: u64,
    /// Number of iterations without a failure, but with an error of which it is unknown whether
    /// it is expected on this server.
    #[serde(default)]
    pub unjudged: u64,
    /// Number of iterations in which a request failed.
    pub failed: u64,
    /// Number of iterations that the load generator could not finish. They are in no other
    /// count and in no latency, since they are no evidence about the server.
    #[serde(default)]
    pub client_failed: u64,
    /// Number of arrivals without a start, since as many iterations were active as may be;
    /// `None` without an arrival rate.
    #[serde(default)]
    pub dropped: Option<u64>,
    /// Number of iterations that still ran when the time of the load was over; of held connections,
    /// number of those without a line by then.
    #[serde(default)]
    pub interrupted: u64,
    /// Failures and expected errors, by type.
    pub tally: Tally,
    /// Requests of `api:launch_cancel` that did not end within its limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspected_wedges: Vec<SuspectedWedge>,
    /// Latencies from the scheduled start of an iteration to its last response, failed
    /// iterations included.
    pub iteration_duration: Latencies,
    /// Latencies by step, from the start of the step.
    pub steps: BTreeMap<String, Latencies>,
    /// Delays of iterations' starts after their scheduled times.
    pub send_lateness: Latencies,
    /// Number of retries, which follow the rules of SkyPilot's SDK; of held connections, number of
    /// reconnects.
    pub retries: u64,
}

impl SegmentOutcome {
    /// Segment before the start of its iterations.
    pub fn begin(at: Timestamp, scheduled: u64) -> Self {
        Self {
            kind: SegmentKind::Iteration,
            began: at,
            ended: at,
            scheduled,
            succeeded: 0,
            expected_errors: 0,
            unjudged: 0,
            failed: 0,
            client_failed: 0,
            dropped: None,
            interrupted: 0,
            tally: Tally::default(),
            suspected_wedges: Vec::new(),
            iteration_duration: Latencies::default(),
            steps: BTreeMap::new(),
            send_lateness: Latencies::default(),
            retries: 0,
        }
    }

    /// Number of iterations that ended, without those in `client_failed`.
    pub const fn completed(&self) -> u64 {
        self.succeeded
            .saturating_add(self.expected_errors)
            .saturating_add(self.unjudged)
            .saturating_add(self.failed)
    }
}

/// Overhead of a scenario's process and its children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoadGeneratorOverhead {
    /// CPU time of the scenario's process.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub own_cpu: Duration,
    /// Peak RSS of the scenario's process.
    pub own_peak: ByteSize,
    /// CPU time of the scenario's child processes.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub children_cpu: Duration,
    /// Peak RSS of the largest child process; `None` without children.
    pub largest_child: Option<ByteSize>,
}
