//! Capacity: memory that a plan needs, and memory that the machine has.
//!
//! A SkyPilot server in local mode starts an executor for nearly every waiting request, with no
//! limit by the machine's memory: 140 users that followed logs exhausted a machine of 24 GB. A
//! plan whose estimated peak does not fit gets a lower concurrency, which the report says, or is
//! rejected.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PlannedScenario, ServerTarget, Speed, shared_resources};
use crate::infrastructure::{Infrastructure, KubernetesSize, LocalInfra};
use crate::limits::{AvailableMemory, MachineLimits};
use crate::machine_size::MachineSize;
use crate::record::request::ServerVariable;
use crate::scenario::{Need, ScenarioKind};
use crate::units::{ByteSize, total};

/// PSS of an idle server: main process, queue, executors of its daemons, and controllers in
/// consolidation mode. Measured with SkyPilot 0.14.1 on a machine of 24 GB: 21 processes, 12 of
/// them controllers, 2.6 GiB.
const IDLE_SERVER: ByteSize = ByteSize(2_700 << 20);

/// PSS of an executor, with a margin (measured: 133 to 147 MB).
const EXECUTOR: ByteSize = ByteSize(150 << 20);

/// RSS of a `sky` process (measured: 158 MB); shares few pages with the server's processes.
const SKY_PROCESS: ByteSize = ByteSize(158 << 20);

/// PSS of an idle server with the loopback Slurm cluster, where one controller runs (measured:
/// 1.45 GiB).
const IDLE_SERVER_ON_LOOPBACK: ByteSize = ByteSize(1_500 << 20);

/// Memory of one cluster on the loopback Slurm cluster: skylet, job, and the processes that run
/// them. Measured as growth of host memory less server and load generator: 410 MiB for each of
/// ten clusters in one run, 480 MiB for each of seven in another.
const CLUSTER: ByteSize = ByteSize(450 << 20);

/// PSS of an executor with a cloud's client libraries and catalog, with a margin.
const EXECUTOR_WITH_A_CLOUD: ByteSize = ByteSize(260 << 20);

/// Memory of a held connection in the process of its scenario (measured with 10,000: 20 KB each).
const HELD_CONNECTION: ByteSize = ByteSize(22 << 10);

/// Memory of a process on a local infra's cluster that reads the output of a job (measured: RSS of
/// 220 MiB each for ten followers on the loopback Slurm cluster, shared pages counted each time).
const LOG_READER: ByteSize = ByteSize(200 << 20);

/// Memory of an instance of emulated AWS: Ray, skylet, job, and the processes that run them.
const INSTANCE: ByteSize = ByteSize(850 << 20);

/// RSS of the emulated API of AWS.
const CLOUD_API: ByteSize = ByteSize(300 << 20);

/// RSS of the emulated API of Kubernetes without its lists (measured: 14 MB).
const KUBERNETES_API: ByteSize = ByteSize(16 << 20);

/// Memory of a node and of a pod in the lists of emulated Kubernetes, and of a node in each
/// executor that has read the list of nodes; pods are read one by one. Measured with 100 nodes and
/// 1,000 pods, and with ten times as many: 19 and 63 MB of the API, 7 MB more of an executor.
const LISTED_NODE: ByteSize = ByteSize(8 << 10);
const LISTED_POD: ByteSize = ByteSize(5 << 10);
const NODE_OF_EXECUTOR: ByteSize = ByteSize(8 << 10);

/// Machine that a plan is made for.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Memory of the machine, or the limit of its control group if that is lower.
    pub memory_total: ByteSize,
    /// Available memory, within the limit of the control group.
    pub memory_available: ByteSize,
    /// Limits of control groups and of the shell.
    pub limits: MachineLimits,
    /// Reasons why local infras cannot run, of those that cannot.
    pub obstacles: BTreeMap<LocalInfra, String>,
    /// Reasons why local infras have no nodes, of those that run without: their control plane
    /// answers, and nothing can be launched.
    pub without_nodes: BTreeMap<LocalInfra, String>,
    /// Speed of the machine; `None` before it was measured.
    pub speed: Option<Speed>,
    /// Shell variables that `--server-env` names without a value.
    pub shell: Vec<ServerVariable>,
}

impl Machine {
    /// Machine with its memory restricted by the memory limit of a control group, if any.
    #[must_use]
    pub fn below(self, memory: Option<AvailableMemory>) -> Self {
        let Some(memory) = memory else { return self };
        Self {
            memory_total: self.memory_total.min(memory.limit),
            memory_available: self.memory_available.min(memory.available),
            ..self
        }
    }

    /// Memory limit of the control group as text that is appended to a figure; empty without one.
    pub fn memory_limit(&self) -> String {
        self.limits.memory.as_ref().map_or_else(String::new, |limit| format!("; {limit}"))
    }

    /// Default memory floor: the larger of 1 GiB and 5 % of the machine's memory.
    pub fn default_floor(&self) -> ByteSize {
        ByteSize::gib(1).max(ByteSize(self.memory_total.as_u64() / 20))
    }
}

/// Estimated memory of a plan, and the memory that it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Capacity {
    /// Estimated peak with all users concurrently active.
    pub wanted: ByteSize,
    /// Estimated peak with the planned concurrency.
    pub planned: ByteSize,
    /// Usable memory: available memory less the memory floor.
    pub usable: ByteSize,
}

impl Capacity {
    /// Whether the concurrency was reduced to fit.
    pub fn is_reduced(&self) -> bool {
        self.planned < self.wanted
    }
}

/// Error for a plan that does not fit even with a concurrency of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DoesNotFit {
    /// Estimate of the reduced plan, with one active user in most scenarios.
    pub(super) reduced: Capacity,
}

/// Reduces the concurrency of the scenarios, all by one factor, so that their estimated peak is
/// at most `usable`. Scenarios for which `takes_rest` holds then share the memory that is left.
pub(super) fn fit(
    scenarios: &mut [PlannedScenario],
    usable: ByteSize,
    local: LocalParts<'_>,
    takes_rest: impl Fn(&PlannedScenario) -> bool,
) -> Result<Capacity, DoesNotFit> {
    let base_memory = base_memory(scenarios, local);
    let per_user = |scenario: &PlannedScenario| memory_of_one_user(scenario, local);
    let peak = |scenarios: &[PlannedScenario]| -> u64 {
        let users = scenarios.iter().map(|s| per_user(s).saturating_mul(u64::from(s.concurrency)));
        base_memory.saturating_add(total(users))
    };
    for scenario in scenarios.iter_mut().filter(|scenario| takes_rest(scenario)) {
        scenario.concurrency = 1;
    }
    let wanted = peak(scenarios);
    // A connection that is not held would not be what was asked for.
    let is_fixed = |scenario: &PlannedScenario| scenario.id.kind() == ScenarioKind::Hold;
    let of_fixed = scenarios.iter().filter(|scenario| is_fixed(scenario));
    let of_fixed = of_fixed.map(|it| per_user(it).saturating_mul(u64::from(it.concurrency)));
    let fixed = base_memory.saturating_add(total(of_fixed));
    let for_users = usable.as_u64().saturating_sub(fixed);
    if wanted > usable.as_u64() {
        let wanted_for_users = wanted.saturating_sub(fixed);
        // Users that need no memory keep their concurrency: fewer of them would free nothing.
        let reducible = |s: &PlannedScenario| per_user(s) > 0 && !is_fixed(s);
        for scenario in scenarios.iter_mut().filter(|s| reducible(s) && !takes_rest(s)) {
            // In 128 bits the product fits. The divisor includes this scenario, so it is not 0.
            let share =
                u128::from(scenario.users) * u128::from(for_users) / u128::from(wanted_for_users);
            scenario.concurrency = u32::try_from(share).unwrap_or(u32::MAX).max(1);
        }
        // Every scenario keeps at least one user, so those with more give up more than their share.
        while peak(scenarios) > usable.as_u64() {
            let larger = scenarios.iter_mut().filter(|s| s.concurrency > 1 && reducible(s));
            let Some(most) = larger.max_by_key(|s| s.concurrency) else { break };
            most.concurrency -= 1;
        }
    }
    let left = usable.as_u64().saturating_sub(peak(scenarios));
    let takers = scenarios.iter().filter(|scenario| takes_rest(scenario)).count();
    let share = left / u64::try_from(takers.max(1)).unwrap_or(u64::MAX);
    for scenario in scenarios.iter_mut().filter(|scenario| takes_rest(scenario)) {
        let more = share.checked_div(per_user(scenario)).unwrap_or(u64::MAX);
        let most = u32::try_from(more.saturating_add(1)).unwrap_or(u32::MAX);
        scenario.concurrency = scenario.users.min(most);
    }
    // With one user each, the peak may still be too high.
    let planned = peak(scenarios);
    // What takes the rest wants no more than that.
    let wanted = if takers > 0 { wanted.max(planned) } else { wanted };
    let reduced = Capacity { wanted: ByteSize(wanted), planned: ByteSize(planned), usable };
    match planned > usable.as_u64() {
        true => Err(DoesNotFit { reduced }),
        false => Ok(reduced),
    }
}

/// Server of a run, as far as it uses this machine's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LocalServer {
    /// Server at a URL.
    Elsewhere,
    /// Server that takes what its processes need.
    Unlimited,
    /// Server with this memory for all of its processes together.
    Sized(ByteSize),
}

impl LocalServer {
    /// Server of a plan that gives it this size.
    pub(super) fn of(server: &ServerTarget, size: Option<MachineSize>) -> Self {
        match (server, size) {
            (ServerTarget::Remote(_), _) => Self::Elsewhere,
            (_, Some(size)) => Self::Sized(size.memory),
            (_, None) => Self::Unlimited,
        }
    }
}

/// Parts of a run that are on this machine and use its memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalParts<'a> {
    /// Server, as far as it uses this machine's memory.
    pub(super) server: LocalServer,
    /// Infra that the plan launches on.
    pub(super) infrastructure: &'a Infrastructure,
    /// Size of emulated Kubernetes.
    pub(super) kubernetes_size: KubernetesSize,
}

impl LocalParts<'_> {
    /// Memory that an executor adds to the server's; 0 for a server whose memory is counted as a
    /// whole, or is another machine's.
    fn executor(self) -> u64 {
        if self.server != LocalServer::Unlimited {
            return 0;
        }
        let listed = match self.infrastructure.uses(LocalInfra::EmulatedKubernetes) {
            true => NODE_OF_EXECUTOR.as_u64() * u64::from(self.kubernetes_size.nodes),
            false => 0,
        };
        match self.infrastructure.has_cloud_libraries() {
            true => EXECUTOR_WITH_A_CLOUD.as_u64() + listed,
            false => EXECUTOR.as_u64(),
        }
    }

    /// Memory of a cluster on an infra; 0 if its clusters are on other machines.
    fn cluster(self, infra: &str) -> u64 {
        match self.infrastructure.locals().find(|local| local.infra() == infra) {
            Some(LocalInfra::Loopback) => CLUSTER.as_u64(),
            Some(LocalInfra::EmulatedAws) => INSTANCE.as_u64(),
            Some(LocalInfra::EmulatedKubernetes) | None => 0,
        }
    }

    /// Memory of the idle server and of the emulated APIs of clouds.
    fn base(self) -> u64 {
        let idle = match (self.server, self.infrastructure.is_local()) {
            (LocalServer::Elsewhere, _) => 0,
            // May use all of it, and no more.
            (LocalServer::Sized(memory), _) => memory.as_u64(),
            (LocalServer::Unlimited, true) => IDLE_SERVER_ON_LOOPBACK.as_u64(),
            (LocalServer::Unlimited, false) => IDLE_SERVER.as_u64(),
        };
        idle + total(self.infrastructure.locals().map(|local| self.cloud_api(local)))
    }

    /// Memory of the emulated API of a cloud; 0 for an infra without one.
    fn cloud_api(self, local: LocalInfra) -> u64 {
        let KubernetesSize { nodes, pods } = self.kubernetes_size;
        match local {
            LocalInfra::Loopback => 0,
            LocalInfra::EmulatedAws => CLOUD_API.as_u64(),
            LocalInfra::EmulatedKubernetes => {
                let nodes = LISTED_NODE.as_u64() * u64::from(nodes);
                let pods = LISTED_POD.as_u64() * u64::from(pods);
                KUBERNETES_API.as_u64() + nodes + pods
            }
        }
    }
}

/// Memory of the clusters that stay until the teardown: those of all iterations of a burst, however
/// many users are active at a time.
pub(super) fn memory_of_clusters_that_stay(
    scenarios: &[PlannedScenario],
    local: LocalParts<'_>,
) -> ByteSize {
    let of_scenario = |planned: &PlannedScenario| {
        let infras = u64::try_from(planned.infras.len().max(1)).unwrap_or(u64::MAX);
        // Users alternate between infras.
        let one_on_each = total(planned.infras.iter().map(|infra| local.cluster(infra)));
        planned.clusters_that_stay().saturating_mul(one_on_each) / infras
    };
    ByteSize(total(scenarios.iter().map(of_scenario)))
}

/// Memory in bytes whatever the number of active users: server, shared resources, and clusters that
/// stay until the teardown.
fn base_memory(scenarios: &[PlannedScenario], local: LocalParts<'_>) -> u64 {
    // A job on the shared cluster runs there.
    let shared = shared_resources(scenarios).into_iter().filter(|(need, _)| *need != Need::LongJob);
    let shared = total(shared.map(|(_, infra)| local.executor() + local.cluster(infra)));
    let stay = memory_of_clusters_that_stay(scenarios, local).as_u64();
    (local.base() + shared).saturating_add(stay)
}

/// Memory in bytes of an active user, without the clusters that stay after the iteration.
fn memory_of_one_user(planned: &PlannedScenario, local: LocalParts<'_>) -> u64 {
    let on_server = local.executor() * u64::from(planned.concurrent_processes());
    // Users alternate between infras, so the largest clusters may be those of all users.
    let largest = planned.infras.iter().map(|infra| local.cluster(infra)).max().unwrap_or(0);
    // The output of a job is read by a process on the cluster, for each follower.
    let follows = planned.needs().contains(&Need::LongJob) && largest > 0;
    let readers = if follows { LOG_READER.as_u64() } else { 0 };
    let on_nodes = largest * u64::from(planned.clusters_taken_down()) + readers;
    // Users of API scenarios share the scenario's process; each CLI user runs a `sky` process.
    let client = match planned.id.kind() {
        ScenarioKind::Cli => SKY_PROCESS.as_u64(),
        ScenarioKind::Hold => HELD_CONNECTION.as_u64(),
        ScenarioKind::Api | ScenarioKind::Probe => 0,
    };
    on_server + on_nodes + client
}

#[cfg(test)]
#[path = "capacity_tests.rs"]
mod tests;
