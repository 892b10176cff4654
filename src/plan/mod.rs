//! The plan of a run: everything it needs, decided once and before anything starts.
//!
//! [`LoadPlan::resolve`] turns a request and `skyload.toml` into a plan or into *all*
//! the reasons why there is none. The plan goes into the run directory, where
//! scenarios, profiler and report read it; none of them looks at a flag.

mod capacity;
mod estimate;
mod fit;
mod ramp;
mod resolve;
mod speed;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use capacity::{Capacity, Machine};
pub use fit::{Fit, Reduction};
pub(crate) use resolve::MAX_USERS;
pub use resolve::UsageErrors;
pub use speed::Speed;

pub use crate::target::{PINNED_SKYPILOT, ServerTarget, SkySelection};

use crate::infrastructure::Infrastructure;
use crate::metric::{Amount, Limit, Metric, ScenarioMetric};
use crate::record::profile::LevelChoice;
use crate::record::request::ServerVariable;
use crate::record::{Document, Estimate, Version, v2};
use crate::scenario::{Group, JOB_SECONDS, Need, Scenario, ScenarioId};
use crate::units;
use crate::units::{ByteSize, Percent};

/// Everything that a run needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoadPlan {
    /// Format of this file.
    pub version: Version<3>,
    /// The file in the place of `skyload.toml`, where one was named.
    #[serde(default)]
    pub config: Option<PathBuf>,
    /// Name of the plan in that file.
    pub name: String,
    /// The SkyPilot under test.
    pub sky: SkySelection,
    /// The server under test.
    pub server: ServerTarget,
    /// Variables that the isolated server is given on purpose.
    #[serde(default)]
    pub server_env: Vec<ServerVariable>,
    /// The profile that is made on the machine of a server elsewhere.
    #[serde(default)]
    pub server_profile: Option<PathBuf>,
    /// What clusters, jobs and services are launched on.
    pub infrastructure: Infrastructure,
    /// Why there is none, where the default could not be had.
    pub without_infrastructure: Option<String>,
    /// Whether CLI scenarios that launch return before what they launched is there.
    pub run_async: bool,
    /// Leave the server running at the end.
    pub keep_server: bool,
    /// What is run against it.
    pub scenarios: Vec<PlannedScenario>,
    /// Time over which the starts of users are spread; zero is a burst.
    #[serde(with = "units::duration", default)]
    #[schemars(with = "crate::units::DurationText")]
    pub ramp: Duration,
    /// The time that the load was to take, where it was to take no longer than that.
    #[serde(default)]
    pub fit: Option<Fit>,
    /// How long the idle server is watched before the load.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub baseline: Duration,
    /// How long the idle server is watched after the load.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub cooldown: Duration,
    /// How long to wait at the most until the server is idle.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub settle_timeout: Duration,
    /// When a scenario that has not ended is given up.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub scenario_timeout: Duration,
    /// When what is still not gone is left.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub teardown_timeout: Duration,
    /// Health requests per second of the health probe.
    pub probe_rate: u32,
    /// Distance between two ticks of the profiler.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub profiler_interval: Duration,
    /// How peaks are read.
    pub peaks: LevelChoice,
    /// Each phase has memory peaks of its own, and Groups of scenarios are loaded one
    /// after the other so that each of them has, too.
    pub phase_peaks: bool,
    /// Whether the original's figures are taken beside ours.
    pub upstream_figures: bool,
    /// Limits on memory and on counts of processes and threads.
    pub budgets: Vec<Limit>,
    /// Limits on what users of scenarios see: latencies, and the share of errors.
    pub thresholds: Vec<Limit>,
    /// Available memory below which the load is stopped.
    pub memory_floor: ByteSize,
    /// When measurements valid.
    pub validity: ValidityLimits,
    /// What the plan needs, and whether that had to be cut down.
    pub capacity: Capacity,
    /// How fast the machine is; `None` where that could not be measured.
    #[serde(default)]
    pub speed: Option<Speed>,
}

impl Document for LoadPlan {
    const KIND: &'static str = "plan";
    const VERSION: u32 = 3;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(_version: u32, content: Value) -> Value {
        v2::plan(content)
    }
}

/// A scenario of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlannedScenario {
    /// Which one.
    pub id: ScenarioId,
    /// Number of users; each runs all iterations.
    pub users: u32,
    /// Iterations of each user.
    pub iterations: u32,
    /// How many of them may be at it at once: all, unless the machine can't
    /// hold what they would start.
    pub concurrency: u32,
}

/// When measurements valid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ValidityLimits {
    /// Requests sent later than this (99th percentile) mean a starved client.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub send_lateness_p99: Duration,
    /// A longer silence of the profiler is a gap.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub profiler_gap: Duration,
}

/// What scenarios need.
fn needs_of(scenarios: &[PlannedScenario]) -> BTreeSet<Need> {
    scenarios.iter().map(|planned| Scenario::of(planned.id).needs).collect()
}

impl LoadPlan {
    /// The plan's entry for a scenario, if it has one.
    pub fn scenario(&self, id: ScenarioId) -> Option<&PlannedScenario> {
        self.scenarios.iter().find(|scenario| scenario.id == id)
    }

    /// Share of a scenario's iterations that may fail: none, unless a threshold allows for it.
    pub fn error_rate(&self, id: ScenarioId) -> Percent {
        let metric = Metric::Scenario(id, ScenarioMetric::ErrorRate);
        let threshold = self.thresholds.iter().find(|threshold| threshold.metric == metric);
        match threshold.and_then(|threshold| threshold.at_most) {
            Some(Amount::Share(share)) => share,
            _ => Percent::default(),
        }
    }

    /// What its scenarios need.
    pub fn needs(&self) -> BTreeSet<Need> {
        needs_of(&self.scenarios)
    }

    /// Whether any of its scenarios launches something, or asks about what was
    /// launched.
    pub fn launches(&self) -> bool {
        self.needs().into_iter().any(Need::takes_infrastructure)
    }

    /// The groups that are loaded one after the other; none where all are loaded at
    /// once.
    pub fn groups(&self) -> Vec<Group> {
        let planned: BTreeSet<Group> =
            self.scenarios.iter().filter_map(|scenario| scenario.id.group()).collect();
        planned.into_iter().filter(|_| self.phase_peaks).collect()
    }

    /// What the plan takes on this machine; `None` as long as its speed isn't known.
    pub fn estimate(&self) -> Option<Estimate> {
        self.speed.map(|speed| Estimate::of(self, speed))
    }

    /// Estimate for the load alone, without setup and teardown.
    fn load_time(&self) -> Option<Duration> {
        self.estimate()?.load
    }

    /// Offsets at which the users of a scenario start, from the beginning of an iteration.
    pub fn start_offsets(&self, id: ScenarioId, iteration: u32) -> Vec<Duration> {
        let beside = self.beside(id.group(), iteration);
        ramp::offsets(id, &beside, &self.scenarios, self.nodes(), self.ramp)
    }

    /// The place of its nodes' work beside the server's.
    fn nodes(&self) -> ramp::Nodes {
        ramp::Nodes::of(self.infrastructure == Infrastructure::Loopback, self.speed)
    }

    /// Scenarios that take part in an iteration beside those of a group: all, unless groups
    /// are loaded one after the other.
    fn beside(&self, group: Option<Group>, iteration: u32) -> Vec<PlannedScenario> {
        let is_beside = |planned: &&PlannedScenario| {
            planned.iterations > iteration && (!self.phase_peaks || planned.id.group() == group)
        };
        self.scenarios.iter().filter(is_beside).copied().collect()
    }

    /// Time over which the starts of a group's iterations are spread, all together.
    fn starts_of(&self, group: Option<Group>) -> Duration {
        let iterations = self.beside(group, 0).iter().map(|planned| planned.iterations).max();
        let starts = |iteration| {
            ramp::spread(&self.beside(group, iteration), &self.scenarios, self.nodes(), self.ramp)
        };
        units::total((0..iterations.unwrap_or(0)).map(starts))
    }

    /// Time after which a scenario that has not ended is given up: its timeout, beside the
    /// time over which starts are spread.
    pub fn time_limit(&self, id: ScenarioId) -> Duration {
        let limit_of = |group| self.starts_of(group).saturating_add(self.scenario_timeout);
        match self.groups().as_slice() {
            [] => limit_of(None),
            // The health probe is there for every group, one after the other.
            groups if id.group().is_none() => {
                units::total(groups.iter().map(|group| limit_of(Some(*group))))
            }
            _ => limit_of(id.group()),
        }
    }

    /// Time between the launches of what scenarios share, which are spread where the load is.
    pub fn setup_interval(&self) -> Duration {
        let speed = self.speed.filter(|_| !self.ramp.is_zero() && !self.is_remote());
        speed.map_or(Duration::ZERO, |speed| ramp::between_launches(self.nodes(), speed))
    }

    /// Seconds that the shared job runs: all who follow it begin while it does, since SkyPilot
    /// may show nothing of one that ends just then.
    pub fn shared_job_seconds(&self) -> u64 {
        let offsets = self.start_offsets(ScenarioId::ApiJobsLogs, 0);
        let last = offsets.into_iter().max().unwrap_or_default();
        JOB_SECONDS.saturating_add(last.as_secs())
    }

    /// Time in which this machine does what the starts of users give it to do, where they
    /// start at once and that is so much that clients may meet timeouts of the SDK. `None`
    /// where it is not, or where nobody knows.
    pub fn overload(&self) -> Option<Duration> {
        let speed = self.speed.filter(|_| self.ramp.is_zero() && !self.is_remote())?;
        let at_once = |group| ramp::overload(&self.beside(group, 0), self.nodes(), speed);
        match self.groups().as_slice() {
            [] => at_once(None),
            groups => groups.iter().filter_map(|group| at_once(Some(*group))).max(),
        }
    }

    /// Whether the server is on another machine, as far as anybody can tell.
    pub const fn is_remote(&self) -> bool {
        matches!(self.server, ServerTarget::Remote(_))
    }

    /// Whether the server's processes are to be profiled: by us if they are on this
    /// machine, or by somebody on theirs.
    pub const fn is_profiled(&self) -> bool {
        !self.is_remote() || self.server_profile.is_some()
    }
}
