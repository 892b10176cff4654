//! Plan of a run, resolved completely before anything starts.
//!
//! [`LoadPlan::resolve`] turns a request and `skyload.toml` into a plan, or into *all* usage
//! errors. The plan is written to the results. Scenarios, profiler and report read it from
//! there and never read flags.

mod cancellations;
mod capacity;
mod estimate;
mod fit;
mod nodes;
mod pinned_workers;
mod planned;
mod ramp;
mod resolve;
mod script;
mod server_metrics;
mod speed;
mod time_limit;
mod validity;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use cancellations::Cancellations;
pub use capacity::{Capacity, Machine};
pub use fit::{Fit, Reduction};
use nodes::NodeCpu;
pub use pinned_workers::PinnedWorkers;
pub use planned::{LeftOut, PlannedScenario};
pub(crate) use resolve::{LONGEST_TIME, MAX_USERS};
pub use resolve::{MAX_USERS_ON_ANOTHER_MACHINE, UsageErrors, default_in_flight};
pub use script::{Script, ScriptStart};
pub use server_metrics::{MetricsSource, ServerMetrics};
pub use speed::Speed;
pub use validity::ValidityLimits;

pub use crate::target::{
    Dependencies, PINNED_SKYPILOT, ResolutionDate, ServerTarget, SkySelection,
};

use crate::class::ProcessClass;
use crate::infrastructure::{Infrastructure, KubernetesSize};
use crate::machine_size::MachineSize;
use crate::metric::{Amount, Limit, Metric, Threshold};
use crate::record::profile::LevelChoice;
use crate::record::request::ServerVariable;
use crate::record::{Document, Estimate, Version, v2, v3, v4};
use crate::scenario::{Group, JOB_SECONDS, Need, ScenarioId};
use crate::shape::Timed;
use crate::units;
use crate::units::{ByteSize, Percent};

/// Plan of a run: `plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoadPlan {
    /// Format version of the file.
    pub version: Version<5>,
    /// Path of the file used instead of `skyload.toml` (`--config`).
    #[serde(default)]
    pub config: Option<PathBuf>,
    /// Name of the plan in the configuration file.
    pub name: String,
    /// SkyPilot under test.
    pub sky: SkySelection,
    /// Dependencies of a SkyPilot that skyload installs (`--dependencies-as-of`).
    #[serde(default)]
    pub dependencies: Dependencies,
    /// Server under test.
    pub server: ServerTarget,
    /// Size of the machine that the server is given; `None` for this machine's.
    #[serde(default)]
    pub size: Option<MachineSize>,
    /// Sizes of executor pools in the place of those that SkyPilot computes.
    #[serde(default)]
    pub workers: PinnedWorkers,
    /// Environment variables passed to the isolated server (`--server-env`).
    #[serde(default)]
    pub server_env: Vec<ServerVariable>,
    /// Path of the profile that is recorded on a remote server's machine.
    #[serde(default)]
    pub server_profile: Option<PathBuf>,
    /// Reading of the server's own metrics (`--metrics`, `--metrics-url`); `None` without it.
    #[serde(default)]
    pub server_metrics: Option<ServerMetrics>,
    /// Infra that clusters, jobs and services are launched on.
    pub infrastructure: Infrastructure,
    /// Reason for running without an infra, or without nodes of one; `None` if all are used, or
    /// none is needed.
    pub without_infrastructure: Option<String>,
    /// Folder with catalogs for emulated infras; `None` for the public ones.
    #[serde(default)]
    pub catalog: Option<PathBuf>,
    /// Size of emulated Kubernetes.
    #[serde(default)]
    pub kubernetes_size: KubernetesSize,
    /// Program of the user's (`--script`); `None` without one.
    #[serde(default)]
    pub script: Option<Script>,
    /// Whether CLI scenarios that launch return before the cluster or job is up (`--async`).
    pub run_async: bool,
    /// Whether each user of API scenarios is a SkyPilot user of its own, and not each scenario.
    #[serde(default)]
    pub distinct_users: bool,
    /// Whether the server is left running at the end.
    pub keep_server: bool,
    /// Scenarios of the load.
    pub scenarios: Vec<PlannedScenario>,
    /// Scenarios of the plan's lists that no infra of the run supports.
    #[serde(default)]
    pub left_out: Vec<LeftOut>,
    /// Time over which the starts of users are spread; zero is a burst.
    #[serde(with = "units::duration", default)]
    #[schemars(with = "crate::units::DurationText")]
    pub ramp: Duration,
    /// Reduction of the load to a time limit; `None` without a limit.
    #[serde(default)]
    pub fit: Option<Fit>,
    /// Duration of the baseline.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub baseline: Duration,
    /// Duration of the cooldown.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub cooldown: Duration,
    /// Maximum time to wait until the server is idle, before the baseline and in the cooldown.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub settle_timeout: Duration,
    /// Time after which an unfinished scenario is stopped, not counting the ramp and the time of
    /// the load's shape.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub scenario_timeout: Duration,
    /// Maximum time of the teardown; resources that still exist after it are reported.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub teardown_timeout: Duration,
    /// Health requests per second of the health probe.
    pub probe_rate: u32,
    /// Sampling interval of the profiler.
    #[serde(with = "units::duration")]
    #[schemars(with = "crate::units::DurationText")]
    pub profiler_interval: Duration,
    /// Method of reading peaks.
    pub peaks: LevelChoice,
    /// Whether memory peaks are recorded per phase. Scenario groups then run sequentially, so
    /// that each group has its peaks, too.
    pub phase_peaks: bool,
    /// Whether upstream's figures are recorded in addition to skyload's.
    pub upstream_figures: bool,
    /// Limits on memory and on counts of processes and threads.
    pub budgets: Vec<Limit>,
    /// Limits on what users of scenarios see.
    pub thresholds: Vec<Threshold>,
    /// Available memory below which the load is stopped.
    pub memory_floor: ByteSize,
    /// Seed of everything that is drawn at random, such as pauses.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Limits beyond which measurements are not valid.
    pub validity: ValidityLimits,
    /// Memory that the plan needs and that is usable.
    pub capacity: Capacity,
    /// Speed of the machine; `None` if it was not measured.
    #[serde(default)]
    pub speed: Option<Speed>,
}

impl Document for LoadPlan {
    const KIND: &'static str = "plan";
    const VERSION: u32 = 5;
    const OLDEST: u32 = v2::VERSION;

    fn upgrade(version: u32, content: Value) -> Value {
        let content = if version <= v2::VERSION { v2::plan(content) } else { content };
        let content = if version <= v3::VERSION { v3::plan(content) } else { content };
        v4::plan(content)
    }
}

/// Seed of plans that have none, from before loads drew anything at random.
const fn default_seed() -> u64 {
    1
}

/// A need with what it implies: a job on the cluster needs the cluster, too.
fn with_implied(need: Need) -> impl Iterator<Item = Need> {
    let cluster = (need == Need::LongJob).then_some(Need::Cluster);
    [Some(need), cluster].into_iter().flatten()
}

/// Shared resources of scenarios, each with its infra.
fn shared_resources(scenarios: &[PlannedScenario]) -> BTreeSet<(Need, &str)> {
    let resources = scenarios.iter().flat_map(|planned| {
        let needs: BTreeSet<Need> = planned.needs().into_iter().flat_map(with_implied).collect();
        let shared = needs.into_iter().filter(|need| need.is_shared());
        shared.flat_map(|need| planned.infras.iter().map(move |infra| (need, infra.as_str())))
    });
    resources.collect()
}

impl LoadPlan {
    /// Entry of a scenario; `None` if the plan does not run the scenario.
    pub fn scenario(&self, id: ScenarioId) -> Option<&PlannedScenario> {
        self.scenarios.iter().find(|scenario| scenario.id == id)
    }

    /// Whether this share of a scenario's iterations may fail: none without a threshold.
    pub fn allows_error_rate(&self, id: ScenarioId, failed: Percent) -> bool {
        let of_errors = |it: &&Threshold| it.metric.scenario() == Some(id) && it.limits_errors();
        let mut limits = self.thresholds.iter().filter(of_errors).peekable();
        match limits.peek() {
            None => failed == Percent::default(),
            Some(_) => limits.all(|limit| limit.holds(Amount::Share(failed)) == Some(true)),
        }
    }

    /// Needs of the plan's scenarios.
    pub fn needs(&self) -> BTreeSet<Need> {
        self.scenarios.iter().flat_map(PlannedScenario::needs).collect()
    }

    /// Shared resources of the plan's scenarios, each with its infra.
    pub fn shared_resources(&self) -> BTreeSet<(Need, &str)> {
        shared_resources(&self.scenarios)
    }

    /// Whether any scenario launches something, or requests something launched before.
    pub fn launches(&self) -> bool {
        self.needs().into_iter().any(Need::takes_infrastructure)
    }

    /// Whether iterations of a scenario submit managed jobs.
    pub fn submits_jobs(&self) -> bool {
        self.scenarios.iter().any(PlannedScenario::submits_jobs)
    }

    /// Whether a cloud is enabled on the server, so that executors have its client libraries and
    /// its catalog in memory: emulated ones are, and real ones if the run has checked them.
    pub fn has_cloud_enabled(&self) -> bool {
        let uses_infra = || {
            let mut parts = self.scenarios.iter().flat_map(PlannedScenario::parts);
            parts.any(|(scenario, _)| scenario.takes_infra())
        };
        self.infrastructure.has_cloud_libraries()
            && (self.infrastructure.is_local() || uses_infra())
    }

    /// Whether the server can have a process that the metric is about. Web workers exist in
    /// deploy mode only.
    pub fn can_have(&self, metric: Metric) -> bool {
        let is_local = self.server == ServerTarget::Isolated { deploy: false };
        !(is_local && matches!(metric, Metric::Class(ProcessClass::ServerWorker, _)))
    }

    /// Group of a scenario; `None` for one that accompanies the load of all groups.
    pub fn group_of(&self, id: ScenarioId) -> Option<Group> {
        self.scenario(id).map_or_else(|| id.group(), PlannedScenario::group)
    }

    /// Scenario groups that run sequentially; empty if all scenarios run concurrently.
    pub fn groups(&self) -> Vec<Group> {
        let planned: BTreeSet<Group> =
            self.scenarios.iter().filter_map(PlannedScenario::group).collect();
        planned.into_iter().filter(|_| self.phase_peaks).collect()
    }

    /// Estimate for the plan on this machine; `None` if its speed is unknown.
    pub fn estimate(&self) -> Option<Estimate> {
        self.server_speed().map(|speed| Estimate::of(self, speed))
    }

    /// Estimate for the load alone, without setup and teardown.
    fn load_time(&self) -> Option<Duration> {
        self.estimate()?.load
    }

    /// Offsets at which a scenario's users start, from the start of an iteration.
    pub fn start_offsets(&self, id: ScenarioId, iteration: u32) -> Vec<Duration> {
        let participants = self.participants(self.group_of(id), iteration);
        ramp::offsets(id, &participants, &self.scenarios, self.nodes(), self.ramp)
    }

    /// Whether the nodes of the plan's infra compete with the server for CPU.
    fn nodes(&self) -> NodeCpu {
        NodeCpu::of(&self.infrastructure, self.speed)
    }

    /// Scenarios that run in an iteration, counted from 0: those of `group` if groups run
    /// sequentially, otherwise all.
    fn participants(&self, group: Option<Group>, iteration: u32) -> Vec<PlannedScenario> {
        let takes_part = |planned: &&PlannedScenario| {
            planned.shape.synchronized_starts() > iteration
                && (!self.phase_peaks || planned.group() == group)
        };
        self.scenarios.iter().filter(takes_part).cloned().collect()
    }

    /// Sum of the times over which the starts of users are spread, over all iterations of a
    /// group.
    fn ramp_time(&self, group: Option<Group>) -> Duration {
        // Every scenario has a first iteration, so these are all scenarios of the group.
        let starts = self.participants(group, 0);
        let iterations = starts.iter().map(|planned| planned.shape.synchronized_starts()).max();
        let spread = |iteration| {
            let participants = self.participants(group, iteration);
            ramp::spread(&participants, &self.scenarios, self.nodes(), self.ramp)
        };
        units::total((0..iterations.unwrap_or(0)).map(spread))
    }

    /// Time between the launches of shared resources; zero for a burst and a remote server.
    pub fn setup_interval(&self) -> Duration {
        let speed = self.server_speed().filter(|_| !self.ramp.is_zero() && !self.is_remote());
        speed.map_or(Duration::ZERO, |speed| {
            ramp::launch_interval(self.nodes(), &self.infrastructure.names(), speed)
        })
    }

    /// Run time of the shared job, in seconds. The job outlasts the start of the last user that
    /// follows its log, since SkyPilot may return an empty log for a job that is just ending.
    pub fn shared_job_seconds(&self) -> u64 {
        let following = self.scenarios.iter().filter(|it| it.needs().contains(&Need::Job));
        let last_start = |planned: &PlannedScenario| {
            let offsets = self.start_offsets(planned.id, 0);
            let time = planned.shape.timed().map(Timed::total).unwrap_or_default();
            offsets.into_iter().max().unwrap_or_default().saturating_add(time)
        };
        let last = following.map(last_start).max().unwrap_or_default();
        JOB_SECONDS.saturating_add(last.as_secs())
    }

    /// Whether users follow the shared job for a time that is planned: it must run when they begin,
    /// or its start, which takes minutes on few cores, is added to the time that they need.
    pub fn follows_job_for_a_time(&self) -> bool {
        let mut following = self.scenarios.iter().filter(|it| it.needs().contains(&Need::Job));
        following.any(|planned| planned.shape.timed().is_some())
    }

    /// Time that this machine needs for a burst's starts, if it is long enough for SDK timeouts;
    /// `None` if it is not, with a ramp, for a remote server, or if the speed is unknown.
    pub fn overload(&self) -> Option<Duration> {
        let speed = self.server_speed().filter(|_| self.ramp.is_zero() && !self.is_remote())?;
        let overload_of = |group| ramp::overload(&self.participants(group, 0), self.nodes(), speed);
        match self.groups().as_slice() {
            [] => overload_of(None),
            groups => groups.iter().filter_map(|group| overload_of(Some(*group))).max(),
        }
    }

    /// Whether anything in the plan is drawn at random.
    pub fn draws(&self) -> bool {
        self.scenarios.iter().any(|planned| {
            planned.shape.draws() || planned.mix.is_some() || planned.cancellations.is_some()
        })
    }

    /// Whether the server is given by a URL. (It may still be on this machine.)
    pub const fn is_remote(&self) -> bool {
        matches!(self.server, ServerTarget::Remote(_))
    }

    /// Whether there will be a profile of the server: recorded by the run, or passed with
    /// `--server-profile`.
    pub const fn is_profiled(&self) -> bool {
        !self.is_remote() || self.server_profile.is_some()
    }
}
