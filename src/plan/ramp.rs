//! Ramp: start times of a load's users.
//!
//! A SkyPilot server in local mode starts an executor for nearly every waiting request, and each
//! executor imports SkyPilot: seconds of CPU time. Concurrent imports starve the server's event
//! loop, and requests fail with SDK timeouts. A ramp delays each user's start by the CPU time
//! that the starts before it need.

use std::time::Duration;

use super::nodes::{NodeCpu, node_work};
use super::{PlannedScenario, Speed};
use crate::scenario::{Cost, Need, ScenarioId, ScenarioKind};

/// Ramps that skyload chooses from, in seconds. The steps are coarse, so that two runs on one
/// machine get the same ramp and can be compared.
const STEPS: [u64; 24] = [
    0, 5, 10, 15, 20, 30, 40, 50, 60, 75, 90, 120, 150, 180, 210, 240, 300, 360, 420, 480, 540,
    600, 720, 900,
];

/// Share of the CPUs that starts may use: the rest is for the server's event loop and for
/// iterations that take longer than estimated.
const SHARE: f64 = 0.85;

/// Work of a burst, in seconds of elapsed time, up to which no load hit an SDK timeout.
/// (Measured with all scenarios on 2 CPUs, work estimated from the scenario table's costs: 21 s
/// passed, 35 s passed once and failed once, 43 s and more failed.)
const BURST_LIMIT: Duration = Duration::from_secs(20);

/// Start of one user.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Start {
    scenario: ScenarioId,
    user: u32,
    /// Work of the start, in CPU-seconds.
    cost: f64,
}

/// Offsets at which the users of scenario `id` start, from the start of an iteration in which
/// the scenarios `participants` (including `id`) run.
///
/// `ramp` is the time for the starts of all scenarios in `all`. An iteration of fewer scenarios
/// is spread over less time, in proportion to the work of its starts.
pub(super) fn offsets(
    id: ScenarioId,
    participants: &[PlannedScenario],
    all: &[PlannedScenario],
    nodes: NodeCpu,
    ramp: Duration,
) -> Vec<Duration> {
    let (order, whole) = (order(participants, nodes), total(&order(all, nodes)));
    let mut started = 0.0;
    let mut offsets = Vec::new();
    for start in &order {
        if start.scenario == id {
            offsets.push(proportion(ramp, started, whole));
        }
        started += start.cost;
    }
    offsets
}

/// Time over which an iteration's starts are spread: `ramp` if all scenarios run in it, less if
/// fewer do.
pub(super) fn spread(
    participants: &[PlannedScenario],
    all: &[PlannedScenario],
    nodes: NodeCpu,
    ramp: Duration,
) -> Duration {
    proportion(ramp, total(&order(participants, nodes)), total(&order(all, nodes)))
}

fn proportion(ramp: Duration, cost: f64, whole: f64) -> Duration {
    let share = if whole > 0.0 { cost / whole } else { 0.0 };
    ramp.mul_f64(share.clamp(0.0, 1.0))
}

/// Ramp that a machine of `speed` needs for a load.
pub(super) fn choose(scenarios: &[PlannedScenario], nodes: NodeCpu, speed: Speed) -> Duration {
    let seconds = work(scenarios, nodes, speed).as_secs_f64() / SHARE;
    #[expect(clippy::cast_precision_loss, reason = "these steps are small")]
    let step = STEPS.into_iter().find(|step| *step as f64 >= seconds);
    Duration::from_secs(step.unwrap_or(STEPS[STEPS.len() - 1]))
}

/// Work of the users that start together in a burst, if it exceeds [`BURST_LIMIT`].
pub(super) fn overload(
    scenarios: &[PlannedScenario],
    nodes: NodeCpu,
    speed: Speed,
) -> Option<Duration> {
    // Users beyond the concurrency wait for others to finish.
    let concurrent: Vec<PlannedScenario> = scenarios
        .iter()
        .map(|planned| PlannedScenario { users: planned.concurrency, ..planned.clone() })
        .collect();
    Some(work(&concurrent, nodes, speed)).filter(|work| *work > BURST_LIMIT)
}

/// Elapsed time that a machine of `speed` needs for the starts of all users.
fn work(scenarios: &[PlannedScenario], nodes: NodeCpu, speed: Speed) -> Duration {
    let seconds = speed.time_of(total(&order(scenarios, nodes)));
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Elapsed time that a machine of `speed` needs for one launch on any of the infras, at most 60 s.
pub(super) fn launch_interval(nodes: NodeCpu, infras: &[String], speed: Speed) -> Duration {
    const MAX: Duration = Duration::from_secs(60);
    let cost = Cost::of_launch(0.0);
    let seconds = speed.time_of(cost.server + nodes.share() * node_work(infras) * cost.nodes);
    Duration::try_from_secs_f64(seconds).unwrap_or(MAX).min(MAX)
}

fn total(starts: &[Start]) -> f64 {
    starts.iter().map(|start| start.cost).sum()
}

/// Starts of all users in order: the first user of each scenario, then the second, and so on;
/// among them, scenarios that take longest come first.
fn order(scenarios: &[PlannedScenario], nodes: NodeCpu) -> Vec<Start> {
    let mut starts: Vec<Start> = scenarios
        .iter()
        // The health probe starts no executor, and runs from the start of the load to its end.
        .filter(|planned| planned.id.kind() != ScenarioKind::Probe)
        // Other shapes begin at times of their own.
        .filter(|planned| planned.shape.is_ramped())
        .flat_map(|planned| {
            let cost = cost_of_start(planned, nodes);
            (0..planned.users).map(move |user| Start { scenario: planned.id, user, cost })
        })
        .collect();
    let rank = |start: &Start| {
        let planned = scenarios.iter().find(|planned| planned.id == start.scenario);
        planned.map(rank)
    };
    starts.sort_by_key(|start| (start.user, rank(start), start.scenario));
    starts
}

/// Work of one start on the CPUs of server and load generator, in CPU-seconds.
fn cost_of_start(planned: &PlannedScenario, nodes: NodeCpu) -> f64 {
    let cost = planned.cost();
    cost.server + cost.client + nodes.share() * node_work(&planned.infras) * cost.nodes
}

/// Place of a scenario in the order of starts.
fn rank(planned: &PlannedScenario) -> u8 {
    let rank = |need| match need {
        // The shared job runs from the start of the load and has a fixed run time.
        Need::Job => 0,
        Need::Infrastructure | Need::OptionalInfrastructure => 1,
        Need::Cluster | Need::Service | Need::LongJob | Need::LongManagedJob => 2,
        Need::Nothing => 3,
    };
    planned.needs().into_iter().map(rank).min().unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::limits::Cpus;
    use crate::shape::LoadShape;

    fn planned(id: ScenarioId, users: u32) -> PlannedScenario {
        let shape = LoadShape::Burst { iterations: 2 };
        let infras = vec!["slurm/loop".to_owned()];
        PlannedScenario {
            id,
            users,
            shape,
            concurrency: users,
            infras,
            mix: None,
            cancellations: None,
        }
    }

    fn speed(import: f64, cpus: usize) -> Speed {
        let import = Duration::from_secs_f64(import);
        let cpus = Cpus { allowed: cpus, quota: None };
        Speed { cpus, import, elapsed: import, concurrency: 2, others: None }
    }

    const TWO: [ScenarioId; 2] = [ScenarioId::ApiStatus, ScenarioId::CliLaunch];

    #[test]
    fn starts_are_spread_in_proportion_to_their_work() {
        let all = TWO.map(|id| planned(id, 2));
        let ramp = Duration::from_secs(30);
        let of = |id| offsets(id, &all, &all, NodeCpu::Separate, ramp);
        let (status, launch) = (of(ScenarioId::ApiStatus), of(ScenarioId::CliLaunch));
        // A launch is 12.5 CPU-s of server and client, a status 2.5: 30 together.
        assert_eq!(launch, [Duration::ZERO, Duration::from_secs(15)], "launches first");
        assert_eq!(status, [Duration::from_millis(12_500), Duration::from_millis(27_500)]);
    }

    #[test]
    fn followers_of_the_running_job_start_first() {
        let all = [ScenarioId::CliLaunch, ScenarioId::ApiJobsLogs].map(|id| planned(id, 1));
        let offsets = offsets(
            ScenarioId::ApiJobsLogs,
            &all,
            &all,
            NodeCpu::Separate,
            Duration::from_secs(60),
        );
        assert_eq!(offsets, [Duration::ZERO]);
    }

    #[test]
    fn without_a_ramp_all_users_start_together() {
        let all = TWO.map(|id| planned(id, 3));
        let offsets = offsets(ScenarioId::ApiStatus, &all, &all, NodeCpu::Separate, Duration::ZERO);
        assert_eq!(offsets, [Duration::ZERO; 3]);
    }

    #[test]
    fn an_iteration_of_fewer_scenarios_is_spread_over_less_time() {
        let all = TWO.map(|id| planned(id, 2));
        let ramp = Duration::from_secs(30);
        let offsets = offsets(ScenarioId::ApiStatus, &all[..1], &all, NodeCpu::Separate, ramp);
        assert_eq!(offsets, [Duration::ZERO, Duration::from_millis(2_500)]);
    }

    #[rstest]
    #[case::a_machine_that_is_twice_as_slow(speed(2.0, 2), speed(4.0, 2))]
    #[case::half_as_many_cpus(speed(2.0, 2), speed(2.0, 1))]
    fn a_ramp_is_longer_where_imports_take_longer(#[case] quick: Speed, #[case] slow: Speed) {
        let all = TWO.map(|id| planned(id, 4));
        assert!(choose(&all, NodeCpu::Separate, quick) < choose(&all, NodeCpu::Separate, slow));
        assert!(STEPS.contains(&choose(&all, NodeCpu::Separate, slow).as_secs()));
    }

    #[test]
    fn nodes_that_take_cpu_from_the_server_make_a_ramp_longer() {
        let all = [planned(ScenarioId::CliLaunch, 4)];
        let (one, nodes) = (speed(2.0, 1), NodeCpu::Competing);
        // 4 launches are 50 CPU-s of server and clients, and 108 of nodes.
        assert_eq!(choose(&all, NodeCpu::Separate, one), Duration::from_secs(60));
        assert_eq!(choose(&all, nodes, one), Duration::from_secs(210));
        let interval =
            |nodes, infra: &str| launch_interval(nodes, &[infra.to_owned()], speed(1.0, 2));
        assert!(interval(nodes, "slurm/loop") > interval(NodeCpu::Separate, "slurm/loop"));
        assert!(interval(nodes, "aws/us-east-1") > interval(nodes, "slurm/loop"));
    }

    #[test]
    fn starts_on_an_infra_whose_nodes_do_more_are_further_apart() {
        let on = |infra: &str| {
            let infras = vec![infra.to_owned()];
            [PlannedScenario { infras, ..planned(ScenarioId::CliLaunch, 4) }]
        };
        let choose = |infra| choose(&on(infra), NodeCpu::Competing, speed(2.0, 2));
        assert!(choose("aws/us-east-1") > choose("slurm/loop"));
        assert!(choose("slurm/loop") > choose("aws/eu-west-1"), "a real cloud's are elsewhere");
    }

    #[test]
    fn a_burst_of_many_imports_on_few_cpus_is_an_overload() {
        let fifty = [planned(ScenarioId::ApiStatus, 50)];
        assert_eq!(
            overload(&fifty, NodeCpu::Separate, speed(2.0, 2)),
            Some(Duration::from_millis(62_500))
        );
        assert_eq!(overload(&fifty, NodeCpu::Separate, speed(2.0, 16)), None);
        let five_concurrent = [PlannedScenario { concurrency: 5, ..fifty[0].clone() }];
        assert_eq!(overload(&five_concurrent, NodeCpu::Separate, speed(2.0, 2)), None);
    }

    #[test]
    fn the_longest_ramp_is_finite() {
        let all = [planned(ScenarioId::CliStatus, 10_000)];
        assert_eq!(choose(&all, NodeCpu::Separate, speed(60.0, 1)), Duration::from_secs(900));
    }
}
