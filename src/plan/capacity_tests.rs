//! Tests of the memory that plans need, and of the concurrency that fits.

use std::sync::LazyLock;
use std::time::Duration;

use super::*;
use crate::scenario::ScenarioId;
use crate::shape::{LoadShape, Model, Pause, StageList, Timed};

static LOOPBACK: LazyLock<Infrastructure> =
    LazyLock::new(|| Infrastructure::local(LocalInfra::Loopback));

fn all_local() -> LocalParts<'static> {
    let kubernetes_size = KubernetesSize::default();
    LocalParts { server: LocalServer::Unlimited, infrastructure: &LOOPBACK, kubernetes_size }
}

fn users(id: ScenarioId, users: u32) -> PlannedScenario {
    let shape = LoadShape::Burst { iterations: 2 };
    PlannedScenario {
        id,
        users,
        shape,
        concurrency: users,
        infras: Vec::new(),
        mix: None,
        cancellations: None,
    }
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
    let held = u32::try_from((20 * EXECUTOR.as_u64()) >> 20).unwrap();
    assert!((1..(16 * 1024 - held) / 150).contains(&scenarios[0].concurrency));
    let mut too_many = [users(ScenarioId::HoldJobsLogs, 200)];
    assert!(fit(&mut too_many, ByteSize::gib(16), all_local(), |_| false).is_err());
}

#[test]
fn a_job_on_the_shared_cluster_needs_no_other_one() {
    let wanted = |ids: &[ScenarioId]| {
        let infras = LOOPBACK.names();
        let planned = |id: &ScenarioId| PlannedScenario { infras: infras.clone(), ..users(*id, 1) };
        let mut scenarios: Vec<_> = ids.iter().map(planned).collect();
        fit(&mut scenarios, ByteSize::gib(16), all_local(), |_| false).unwrap().wanted.as_u64()
    };
    let both = wanted(&[ScenarioId::ApiTailLogs, ScenarioId::HoldLogs]);
    let follower = LOG_READER.as_u64() + HELD_CONNECTION.as_u64();
    assert_eq!(both - wanted(&[ScenarioId::ApiTailLogs]), follower);
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
        let mut scenarios = [PlannedScenario { infras, ..users(ScenarioId::ApiLaunchAndLogs, 4) }];
        let local = LocalParts { infrastructure, ..all_local() };
        fit(&mut scenarios, ByteSize::gib(16), local, |_| false).unwrap().wanted.as_u64()
    };
    let elsewhere = wanted(&Infrastructure::Clouds(vec!["slurm/theirs".to_owned()]));
    let idle = IDLE_SERVER.as_u64() - IDLE_SERVER_ON_LOOPBACK.as_u64();
    let iterations = 2;
    assert_eq!(wanted(&LOOPBACK) + idle - elsewhere, 4 * iterations * CLUSTER.as_u64());
}

/// Scenario `cli:launch` on the loopback Slurm cluster.
fn launches(number_of_users: u32, shape: LoadShape) -> PlannedScenario {
    let planned = users(ScenarioId::CliLaunch, number_of_users);
    PlannedScenario { infras: LOOPBACK.names(), shape, ..planned }
}

#[test]
fn clusters_of_a_burst_stay_however_few_users_are_active() {
    let mut scenarios = [launches(30, LoadShape::SINGLE)];
    let error = fit(&mut scenarios, ByteSize::gib(14), all_local(), |_| false).unwrap_err();
    assert!(error.reduced.planned > ByteSize(30 * CLUSTER.as_u64()), "{error:?}");
    let mut scenarios = [launches(30, LoadShape::SINGLE)];
    let capacity = fit(&mut scenarios, ByteSize::gib(16), all_local(), |_| false).unwrap();
    assert!(capacity.is_reduced() && scenarios[0].concurrency < 10, "{scenarios:?}");
    // Users of a load that lasts for a time have one cluster each.
    let StageList::Users(stages) = "30 for 5m".parse().unwrap() else { panic!("it is of users") };
    let model = Model::Users { stages, pause: Pause::default() };
    let (warm_up, graceful_stop) = (Duration::ZERO, Duration::ZERO);
    let timed = LoadShape::Timed(Timed { model, warm_up, graceful_stop });
    let mut scenarios = [launches(30, timed)];
    let capacity = fit(&mut scenarios, ByteSize::gib(14), all_local(), |_| false).unwrap();
    let active = u64::from(scenarios[0].concurrency);
    let each = (CLUSTER.as_u64() + EXECUTOR.as_u64() + SKY_PROCESS.as_u64()) * active;
    assert!(active > 10, "{scenarios:?}");
    assert_eq!(capacity.planned.as_u64() - IDLE_SERVER_ON_LOOPBACK.as_u64(), each);
}

#[test]
fn each_iteration_of_a_burst_has_a_cluster_that_stays() {
    let wanted = |iterations| {
        let mut scenarios = [launches(10, LoadShape::Burst { iterations })];
        fit(&mut scenarios, ByteSize::gib(64), all_local(), |_| false).unwrap().wanted.as_u64()
    };
    assert_eq!(wanted(3) - wanted(1), 20 * CLUSTER.as_u64());
    // Sessions take their clusters down.
    let session = |iterations| {
        let shape = LoadShape::Burst { iterations };
        let planned = PlannedScenario { shape, ..users(ScenarioId::CliSession, 10) };
        let mut scenarios = [PlannedScenario { infras: LOOPBACK.names(), ..planned }];
        fit(&mut scenarios, ByteSize::gib(64), all_local(), |_| false).unwrap().wanted.as_u64()
    };
    assert_eq!(session(3), session(1));
    assert!(session(1) > 10 * CLUSTER.as_u64());
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
        let local = LocalParts { infrastructure: &infrastructure, kubernetes_size, ..all_local() };
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
    let remote = LocalParts { server: LocalServer::Elsewhere, infrastructure, ..all_local() };
    let mut scenarios = [users(ScenarioId::ApiStatus, 1000)];
    let capacity = fit(&mut scenarios, ByteSize::gib(1), remote, |_| false).unwrap();
    assert_eq!(capacity.wanted, ByteSize(0));
}

#[test]
fn a_sized_server_needs_its_size_whatever_the_users_do() {
    let server = LocalServer::Sized(ByteSize::gib(4));
    let local = LocalParts { server, ..all_local() };
    let mut scenarios = [users(ScenarioId::ApiStatus, 500)];
    let capacity = fit(&mut scenarios, ByteSize::gib(5), local, |_| false).unwrap();
    assert_eq!(capacity.planned, ByteSize::gib(4));
    assert_eq!(scenarios[0].concurrency, 500, "a load that is too much is part of the experiment");
    // Clients are outside of the server's memory.
    let mut commands = [users(ScenarioId::CliStatus, 100)];
    let capacity = fit(&mut commands, ByteSize::gib(5), local, |_| false).unwrap();
    assert!(commands[0].concurrency < 10 && capacity.planned <= ByteSize::gib(5));
}
