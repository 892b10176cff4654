//! Capacity: memory that a plan needs, and memory that the machine has.
//!
//! A SkyPilot server in local mode starts an executor for nearly every waiting request, with no
//! limit by the machine's memory: 140 users that followed logs exhausted a machine of 24 GB. A
//! plan whose estimated peak does not fit gets a lower concurrency, which the report says, or is
//! rejected.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PlannedScenario, Speed, shared_resources};
use crate::infrastructure::{Infrastructure, KubernetesSize, LocalInfra};
use crate::limits::{AvailableMemory, MachineLimits};
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

/// Memory of a held connection in the process of its scenario.
const HELD_CONNECTION: ByteSize = ByteSize(20 << 10);

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

/// Parts of a run that are on this machine and use its memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalParts<'a> {
    /// Whether the server is on this machine.
    pub(super) server: bool,
    /// Infra that the plan launches on.
    pub(super) infrastructure: &'a Infrastructure,
    /// Size of emulated Kubernetes.
    pub(super) kubernetes_size: KubernetesSize,
}

impl LocalParts<'_> {
    /// Memory of an executor.
    fn executor(self) -> u64 {
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
            (false, _) => 0,
            (true, true) => IDLE_SERVER_ON_LOOPBACK.as_u64(),
            (true, false) => IDLE_SERVER.as_u64(),
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

/// Memory in bytes before the first user starts: server and shared resources.
fn base_memory(scenarios: &[PlannedScenario], local: LocalParts<'_>) -> u64 {
    let executor = if local.server { local.executor() } else { 0 };
    // A job on the shared cluster runs there.
    let shared = shared_resources(scenarios).into_iter().filter(|(need, _)| *need != Need::LongJob);
    local.base() + total(shared.map(|(_, infra)| executor + local.cluster(infra)))
}

fn memory_of_one_user(planned: &PlannedScenario, local: LocalParts<'_>) -> u64 {
    let on_server = match local.server {
        true => local.executor() * u64::from(planned.concurrent_processes()),
        false => 0,
    };
    let on_nodes = match planned.needs().contains(&Need::Infrastructure) {
        // Users alternate between infras, so the largest clusters may be those of all users.
        true => {
            let largest = planned.infras.iter().map(|infra| local.cluster(infra)).max();
            largest.unwrap_or(0) * u64::from(planned.launches())
        }
        false => 0,
    };
    // Users of API scenarios share the scenario's process; each CLI user runs a `sky` process.
    let client = match planned.id.kind() {
        ScenarioKind::Cli => SKY_PROCESS.as_u64(),
        ScenarioKind::Hold => HELD_CONNECTION.as_u64(),
        ScenarioKind::Api | ScenarioKind::Probe => 0,
    };
    on_server + on_nodes + client
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::scenario::ScenarioId;
    use crate::shape::LoadShape;

    static LOOPBACK: LazyLock<Infrastructure> =
        LazyLock::new(|| Infrastructure::local(LocalInfra::Loopback));

    fn all_local() -> LocalParts<'static> {
        let kubernetes_size = KubernetesSize::default();
        LocalParts { server: true, infrastructure: &LOOPBACK, kubernetes_size }
    }

    fn users(id: ScenarioId, users: u32) -> PlannedScenario {
        let shape = LoadShape::Burst { iterations: 2 };
        PlannedScenario { id, users, shape, concurrency: users, infras: Vec::new(), mix: None }
    }

    #[test]
    fn a_plan_that_fits_is_not_changed() {
        let mut scenarios = [users(ScenarioId::ApiStatus, 50)];
        let capacity = fit(&mut scenarios, ByteSize::gib(20), all_local(), |_| false).unwrap();
        assert_eq!(scenarios[0].concurrency, 50);
        assert!(!capacity.is_reduced());
    }

    #[test]
    fn the_concurrency_of_a_plan_that_does_not_fit_is_reduced() {
        let mut scenarios = [
            users(ScenarioId::ApiStatus, 100),
            users(ScenarioId::CliStatus, 100),
            users(ScenarioId::ApiValidate, 100),
        ];
        let capacity = fit(&mut scenarios, ByteSize::gib(16), all_local(), |_| false).unwrap();
        assert!(capacity.is_reduced() && capacity.planned <= ByteSize::gib(16));
        assert!(scenarios[0].concurrency < 20 && scenarios[0].concurrency >= 1);
        assert_eq!(scenarios[2].concurrency, 100, "validation starts no executor");
        assert_eq!(scenarios[0].users, 100, "every user still runs an iteration");
    }

    #[test]
    fn held_connections_count_and_are_not_reduced() {
        let held = users(ScenarioId::HoldJobsLogs, 20);
        let mut scenarios = [users(ScenarioId::ApiStatus, 100), held];
        let capacity = fit(&mut scenarios, ByteSize::gib(16), all_local(), |_| false).unwrap();
        assert!(capacity.is_reduced() && capacity.planned <= ByteSize::gib(16));
        assert_eq!(scenarios[1].concurrency, 20);
        let held = u32::try_from(20 * EXECUTOR.as_u64() >> 20).unwrap();
        assert!((1..(16 * 1024 - held) / 150).contains(&scenarios[0].concurrency));
        let mut too_many = [users(ScenarioId::HoldJobsLogs, 200)];
        assert!(fit(&mut too_many, ByteSize::gib(16), all_local(), |_| false).is_err());
    }

    #[test]
    fn a_job_on_the_shared_cluster_needs_no_other_one() {
        let wanted = |ids: &[ScenarioId]| {
            let infras = LOOPBACK.names();
            let planned =
                |id: &ScenarioId| PlannedScenario { infras: infras.clone(), ..users(*id, 1) };
            let mut scenarios: Vec<_> = ids.iter().map(planned).collect();
            fit(&mut scenarios, ByteSize::gib(16), all_local(), |_| false).unwrap().wanted.as_u64()
        };
        let both = wanted(&[ScenarioId::ApiTailLogs, ScenarioId::HoldLogs]);
        assert_eq!(both - wanted(&[ScenarioId::ApiTailLogs]), HELD_CONNECTION.as_u64());
    }

    #[test]
    fn scenarios_with_one_user_are_made_up_for_by_the_others() {
        let single = (0..20).map(|_| users(ScenarioId::ApiLaunchAndLogs, 1));
        let mut scenarios: Vec<_> = single.chain([users(ScenarioId::CliStatus, 9)]).collect();
        let most =
            fit(&mut scenarios.clone(), ByteSize::gib(60), all_local(), |_| false).unwrap().wanted;
        let usable = ByteSize(most.as_u64() - EXECUTOR.as_u64());
        let capacity = fit(&mut scenarios, usable, all_local(), |_| false).unwrap();
        assert!(capacity.planned <= usable);
        assert_eq!(scenarios[20].concurrency, 8, "the least that had to be given up");
    }

    #[test]
    fn an_arrival_rate_without_a_cap_takes_the_rest_of_the_memory() {
        let mut scenarios = [users(ScenarioId::ApiStatus, 20), users(ScenarioId::CliStatus, 500)];
        let is_rate = |planned: &PlannedScenario| planned.id == ScenarioId::CliStatus;
        let capacity = fit(&mut scenarios, ByteSize::gib(20), all_local(), is_rate).unwrap();
        assert_eq!(scenarios[0].concurrency, 20, "users of other scenarios are not reduced");
        assert!((10..100).contains(&scenarios[1].concurrency), "{:?}", scenarios[1]);
        assert!(!capacity.is_reduced() && capacity.planned <= ByteSize::gib(20));
    }

    #[test]
    fn a_plan_that_does_not_fit_with_one_user_each_is_an_error() {
        let mut scenarios = [users(ScenarioId::CliStatus, 5)];
        let error = fit(&mut scenarios, ByteSize::gib(2), all_local(), |_| false).unwrap_err();
        assert_eq!(scenarios[0].concurrency, 1);
        assert!(error.reduced.is_reduced(), "what runs with --yes is said to be reduced");
    }

    #[test]
    fn clusters_on_this_machine_need_its_memory() {
        let wanted = |infrastructure: &Infrastructure| {
            let infras = infrastructure.names();
            let mut scenarios =
                [PlannedScenario { infras, ..users(ScenarioId::ApiLaunchAndLogs, 4) }];
            let local = LocalParts { infrastructure, ..all_local() };
            fit(&mut scenarios, ByteSize::gib(16), local, |_| false).unwrap().wanted.as_u64()
        };
        let elsewhere = wanted(&Infrastructure::Clouds(vec!["slurm/theirs".to_owned()]));
        let idle = IDLE_SERVER.as_u64() - IDLE_SERVER_ON_LOOPBACK.as_u64();
        assert_eq!(wanted(&LOOPBACK) + idle - elsewhere, 4 * CLUSTER.as_u64());
    }

    #[test]
    fn executors_with_a_cloud_need_more_memory() {
        let wanted = |infrastructure: &Infrastructure| {
            let mut scenarios = [users(ScenarioId::ApiStatus, 4)];
            let local = LocalParts { infrastructure, ..all_local() };
            fit(&mut scenarios, ByteSize::gib(16), local, |_| false).unwrap().wanted.as_u64()
        };
        let aws = Infrastructure::local(LocalInfra::EmulatedAws);
        let executors = 4 * (EXECUTOR_WITH_A_CLOUD.as_u64() - EXECUTOR.as_u64());
        assert_eq!(wanted(&aws) - wanted(&LOOPBACK), CLOUD_API.as_u64() + executors);
    }

    #[test]
    fn a_larger_emulated_kubernetes_needs_more_memory_in_its_api_and_in_each_executor() {
        let infrastructure = Infrastructure::local(LocalInfra::EmulatedKubernetes);
        let wanted = |nodes, pods, users_of_status| {
            let mut scenarios = [users(ScenarioId::ApiStatus, users_of_status)];
            let kubernetes_size = KubernetesSize { nodes, pods };
            let local =
                LocalParts { infrastructure: &infrastructure, kubernetes_size, ..all_local() };
            fit(&mut scenarios, ByteSize::gib(64), local, |_| false).unwrap().wanted.as_u64()
        };
        let lists = 999 * LISTED_NODE.as_u64() + 9_999 * LISTED_POD.as_u64();
        let of_executors = 4 * 999 * NODE_OF_EXECUTOR.as_u64();
        assert_eq!(wanted(1_000, 10_000, 4) - wanted(1, 1, 4), lists + of_executors);
        // The largest that is permitted.
        let api = wanted(5_000, 150_000, 1) - wanted(1, 1, 1);
        assert!((700 << 20..900 << 20).contains(&api), "{api}");
    }

    #[test]
    fn executors_of_a_remote_server_need_no_local_memory() {
        let infrastructure = &Infrastructure::None;
        let remote = LocalParts { server: false, infrastructure, ..all_local() };
        let mut scenarios = [users(ScenarioId::ApiStatus, 1000)];
        let capacity = fit(&mut scenarios, ByteSize::gib(1), remote, |_| false).unwrap();
        assert_eq!(capacity.wanted, ByteSize(0));
    }
}
