//! What a scenario process recorded: `outcomes/<scenario>.json`, one each.
//!
//! Written by the drivers in [`crate::traffic`] before anything is asserted, so
//! that a failed scenario leaves its numbers. A file that is missing is itself a
//! result: the process ended without a word, and the run is inconclusive.

mod client_fault;
pub mod error_type;
mod failure;
mod latencies;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use client_fault::ClientFault;
pub use failure::{Failure, FailureTally, Tally};
pub use latencies::Latencies;

use super::{Document, Version, v2};
use crate::clock::Timestamp;
use crate::credentials::Credentials;
use crate::ids::ProcessIdentity;
use crate::scenario::ScenarioId;
use crate::units;
use crate::units::ByteSize;

/// What one scenario process recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScenarioOutcome {
    /// Format of this file.
    pub version: Version<3>,
    /// Which scenario.
    pub scenario: ScenarioId,
    /// The process that ran it.
    pub process: Option<ProcessIdentity>,
    /// One entry for each segment of iterations, in their order.
    pub segments: Vec<SegmentOutcome>,
    /// How it ended.
    pub ended: Ended,
    /// What the scenario itself cost.
    pub cost: ClientCost,
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
    /// Takes a secret out of every message: a server, or a `sky` process, may have
    /// repeated it.
    pub fn hide(&mut self, credentials: &Credentials) {
        for segment in &mut self.segments {
            segment.tally.map_messages(|message| credentials.hide_in(message));
        }
    }
}

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// All iterations have run.
    Finished,
    /// It was told to stop: by a signal, or since its coordinator had gone.
    Stopped,
    /// It ran into its time limit with iterations still under way.
    TimedOut,
}

/// Iterations that began together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SegmentOutcome {
    /// The moment for which the iterations were scheduled.
    pub began: Timestamp,
    /// When the last of them ended.
    pub ended: Timestamp,
    /// Iterations that were scheduled.
    pub scheduled: u64,
    /// Iterations whose every request had the right answer.
    pub succeeded: u64,
    /// Iterations in which a request was refused, and rightly so, and all others had
    /// the right answer.
    pub expected_errors: u64,
    /// Iterations in which a request was refused, of which nobody knows whether rightly so, and
    /// all others had the right answer.
    #[serde(default)]
    pub unjudged: u64,
    /// Iterations in which a request failed.
    pub failed: u64,
    /// Iterations that the load generator could not finish. They say nothing
    /// of the server, so they are in no other count, and in no latency.
    #[serde(default)]
    pub client_failed: u64,
    /// What failed, and what was refused, by kind.
    pub tally: Tally,
    /// From the scheduled start of an iteration to its last answer, failed iterations too.
    pub iteration_duration: Latencies,
    /// By step of an iteration, from the start of that step.
    pub steps: BTreeMap<String, Latencies>,
    /// How much later than scheduled iterations began.
    pub send_lateness: Latencies,
    /// How often something was sent again, as SkyPilot's SDK does.
    pub retries: u64,
}

impl SegmentOutcome {
    /// A segment whose iterations have yet to run.
    pub fn begin(at: Timestamp, scheduled: u64) -> Self {
        Self {
            began: at,
            ended: at,
            scheduled,
            succeeded: 0,
            expected_errors: 0,
            unjudged: 0,
            failed: 0,
            client_failed: 0,
            tally: Tally::default(),
            iteration_duration: Latencies::default(),
            steps: BTreeMap::new(),
            send_lateness: Latencies::default(),
            retries: 0,
        }
    }

    /// Iterations that came to an end.
    pub const fn completed(&self) -> u64 {
        self.succeeded
            .saturating_add(self.expected_errors)
            .saturating_add(self.unjudged)
            .saturating_add(self.failed)
    }
}

/// What a scenario process and its children cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClientCost {
    /// CPU time of the scenario process.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub own_cpu: Duration,
    /// Its peak resident memory.
    pub own_peak: ByteSize,
    /// CPU time of the processes that it started.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub children_cpu: Duration,
    /// Peak resident memory of the largest of them; `None` if there were none.
    pub largest_child: Option<ByteSize>,
}
