//! When each user of a load starts.
//!
//! A local server starts an executor for nearly every request that waits, and each
//! imports SkyPilot: seconds of CPU time. Imports that run at once starve the server's
//! event loop, and clients give up after the SDK's timeouts. A ramp starts users one after
//! the other, each as much later as the one before gives the machine to do.

use std::time::Duration;

use super::{PlannedScenario, Speed};
use crate::scenario::{Cost, Need, Scenario, ScenarioId, ScenarioKind};

/// Ramps that skyload chooses, in seconds. Coarse, so that two runs on one machine have
/// the same one and can be compared.
const STEPS: [u64; 24] = [
    0, 5, 10, 15, 20, 30, 40, 50, 60, 75, 90, 120, 150, 180, 210, 240, 300, 360, 420, 480, 540,
    600, 720, 900,
];

/// Share of the CPUs that starts are to take: the rest is for the server's event loop and
/// for what does not end when it should.
const SHARE: f64 = 0.85;

/// Work of a burst, on the clock, up to which no load was seen to meet a timeout of the SDK.
/// (Loads of all scenarios on 2 CPUs, their work reckoned by the table of costs: 21 s passed;
/// 35 s passed once and failed once; 43 s and more failed.)
const BURST_LIMIT: Duration = Duration::from_secs(20);

/// The place of the nodes' work beside the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nodes {
    /// They are other machines, or get what nobody else wants.
    Behind,
    /// They take CPU from server and clients: starts give the machine their work to do, too.
    Beside,
}

impl Nodes {
    /// The nodes of a load, `on_loopback` or not, on a machine of this speed.
    pub(super) fn of(on_loopback: bool, speed: Option<Speed>) -> Self {
        match speed {
            Some(speed) if on_loopback && !speed.leaves_cpu_for_nodes() => Self::Beside,
            Some(_) | None => Self::Behind,
        }
    }

    /// Work of a start that competes with the server's event loop, in CPU-seconds.
    const fn cost_of_start(self, cost: &Cost) -> f64 {
        match self {
            Self::Behind => cost.server + cost.client,
            Self::Beside => cost.server + cost.client + cost.nodes,
        }
    }
}

/// One of the users of a load.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Start {
    scenario: ScenarioId,
    user: u32,
    /// CPU-seconds that the user's start gives server and clients to do.
    cost: f64,
}

/// Offsets of the users of one scenario from the beginning of an iteration, when it is run
/// together with `beside` (which includes it) and all starts are spread over `ramp`.
///
/// Iterations in which fewer scenarios take part are spread over less time, as their starts
/// are less work. `all` is what `ramp` was chosen for.
pub(super) fn offsets(
    id: ScenarioId,
    beside: &[PlannedScenario],
    all: &[PlannedScenario],
    nodes: Nodes,
    ramp: Duration,
) -> Vec<Duration> {
    let (order, whole) = (order(beside, nodes), total(&order(all, nodes)));
    let mut before = 0.0;
    let mut offsets = Vec::new();
    for start in &order {
        if start.scenario == id {
            offsets.push(part(ramp, before, whole));
        }
        before += start.cost;
    }
    offsets
}

/// Time over which an iteration's starts are spread: `ramp` where all take part in it, and
/// less where fewer do.
pub(super) fn spread(
    beside: &[PlannedScenario],
    all: &[PlannedScenario],
    nodes: Nodes,
    ramp: Duration,
) -> Duration {
    part(ramp, total(&order(beside, nodes)), total(&order(all, nodes)))
}

fn part(ramp: Duration, cost: f64, of: f64) -> Duration {
    let share = if of > 0.0 { cost / of } else { 0.0 };
    ramp.mul_f64(share.clamp(0.0, 1.0))
}

/// The ramp that this machine needs for a load.
pub(super) fn choose(scenarios: &[PlannedScenario], nodes: Nodes, speed: Speed) -> Duration {
    let seconds = work(scenarios, nodes, speed).as_secs_f64() / SHARE;
    #[expect(clippy::cast_precision_loss, reason = "these steps are small")]
    let step = STEPS.into_iter().find(|step| *step as f64 >= seconds);
    Duration::from_secs(step.unwrap_or(STEPS[STEPS.len() - 1]))
}

/// Work of those users that start at once, where it is more than the machine can carry
/// without timeouts.
pub(super) fn overload(
    scenarios: &[PlannedScenario],
    nodes: Nodes,
    speed: Speed,
) -> Option<Duration> {
    let at_once: Vec<PlannedScenario> = scenarios
        .iter()
        .map(|planned| PlannedScenario { users: planned.concurrency, ..*planned })
        .collect();
    Some(work(&at_once, nodes, speed)).filter(|work| *work > BURST_LIMIT)
}

/// Time in which the machine does what the starts of all users give it to do.
fn work(scenarios: &[PlannedScenario], nodes: Nodes, speed: Speed) -> Duration {
    let seconds = speed.time_of(total(&order(scenarios, nodes)));
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Time in which the machine does its part of one launch.
pub(super) fn between_launches(nodes: Nodes, speed: Speed) -> Duration {
    const MOST: Duration = Duration::from_secs(60);
    let seconds = speed.time_of(nodes.cost_of_start(&Cost::of_launch(0.0)));
    Duration::try_from_secs_f64(seconds).unwrap_or(MOST).min(MOST)
}

fn total(starts: &[Start]) -> f64 {
    starts.iter().map(|start| start.cost).sum()
}

/// All users in the order in which they start: those first who take longest, and the first
/// user of each scenario before the second of any.
fn order(scenarios: &[PlannedScenario], nodes: Nodes) -> Vec<Start> {
    let mut starts: Vec<Start> = scenarios
        .iter()
        .filter(|planned| planned.id.kind() != ScenarioKind::Probe)
        .flat_map(|planned| {
            let cost = nodes.cost_of_start(&Scenario::of(planned.id).cost);
            (0..planned.users).map(move |user| Start { scenario: planned.id, user, cost })
        })
        .collect();
    starts.sort_by_key(|start| (start.user, rank(start.scenario), start.scenario));
    starts
}

fn rank(id: ScenarioId) -> u8 {
    match Scenario::of(id).needs {
        // The job is under way from the load's beginning.
        Need::Job => 0,
        Need::Infrastructure => 1,
        Need::Cluster | Need::Service => 2,
        Need::Nothing => 3,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::limits::Cpus;

    fn planned(id: ScenarioId, users: u32) -> PlannedScenario {
        PlannedScenario { id, users, iterations: 2, concurrency: users }
    }

    fn speed(import: f64, cpus: usize) -> Speed {
        let import = Duration::from_secs_f64(import);
        let cpus = Cpus { allowed: cpus, quota: None };
        Speed { cpus, import, elapsed: import, concurrency: 2, others: None }
    }

    const TWO: [ScenarioId; 2] = [ScenarioId::ApiStatus, ScenarioId::CliLaunch];

    #[test]
    fn starts_are_spread_by_the_work_that_they_make() {
        let all = TWO.map(|id| planned(id, 2));
        let ramp = Duration::from_secs(30);
        let of = |id| offsets(id, &all, &all, Nodes::Behind, ramp);
        let (status, launch) = (of(ScenarioId::ApiStatus), of(ScenarioId::CliLaunch));
        // A launch is 12.5 CPU-s of server and client, a status 2.5: 30 together.
        assert_eq!(launch, [Duration::ZERO, Duration::from_secs(15)], "launches first");
        assert_eq!(status, [Duration::from_millis(12_500), Duration::from_millis(27_500)]);
    }

    #[test]
    fn who_follows_the_job_that_is_under_way_starts_first() {
        let all = [ScenarioId::CliLaunch, ScenarioId::ApiJobsLogs].map(|id| planned(id, 1));
        let offsets =
            offsets(ScenarioId::ApiJobsLogs, &all, &all, Nodes::Behind, Duration::from_secs(60));
        assert_eq!(offsets, [Duration::ZERO]);
    }

    #[test]
    fn without_a_ramp_all_start_at_once() {
        let all = TWO.map(|id| planned(id, 3));
        let offsets = offsets(ScenarioId::ApiStatus, &all, &all, Nodes::Behind, Duration::ZERO);
        assert_eq!(offsets, [Duration::ZERO; 3]);
    }

    #[test]
    fn an_iteration_of_fewer_scenarios_is_spread_over_less_time() {
        let all = TWO.map(|id| planned(id, 2));
        let ramp = Duration::from_secs(30);
        let offsets = offsets(ScenarioId::ApiStatus, &all[..1], &all, Nodes::Behind, ramp);
        assert_eq!(offsets, [Duration::ZERO, Duration::from_millis(2_500)]);
    }

    #[rstest]
    #[case::a_machine_that_is_twice_as_slow(speed(2.0, 2), speed(4.0, 2))]
    #[case::half_as_many_cpus(speed(2.0, 2), speed(2.0, 1))]
    fn a_ramp_is_longer_where_imports_take_longer(#[case] quick: Speed, #[case] slow: Speed) {
        let all = TWO.map(|id| planned(id, 4));
        assert!(choose(&all, Nodes::Behind, quick) < choose(&all, Nodes::Behind, slow));
        assert!(STEPS.contains(&choose(&all, Nodes::Behind, slow).as_secs()));
    }

    #[test]
    fn nodes_that_take_cpu_from_the_server_make_a_ramp_longer() {
        let all = [planned(ScenarioId::CliLaunch, 4)];
        let (one, two) = (speed(2.0, 1), speed(2.0, 2));
        assert_eq!(Nodes::of(true, Some(two)), Nodes::Behind);
        assert_eq!(Nodes::of(false, Some(one)), Nodes::Behind, "they are other machines");
        let nodes = Nodes::of(true, Some(one));
        assert_eq!(nodes, Nodes::Beside);
        // 4 launches are 50 CPU-s of server and clients, and 108 of nodes.
        assert_eq!(choose(&all, Nodes::Behind, one), Duration::from_secs(60));
        assert_eq!(choose(&all, nodes, one), Duration::from_secs(210));
        assert!(between_launches(nodes, one) > between_launches(Nodes::Behind, one));
    }

    #[test]
    fn a_burst_is_too_much_where_its_imports_pile_up() {
        let fifty = [planned(ScenarioId::ApiStatus, 50)];
        assert_eq!(
            overload(&fifty, Nodes::Behind, speed(2.0, 2)),
            Some(Duration::from_millis(62_500))
        );
        assert_eq!(overload(&fifty, Nodes::Behind, speed(2.0, 16)), None);
        let few_at_once = [PlannedScenario { concurrency: 5, ..fifty[0] }];
        assert_eq!(overload(&few_at_once, Nodes::Behind, speed(2.0, 2)), None);
    }

    #[test]
    fn the_longest_ramp_is_finite() {
        let all = [planned(ScenarioId::CliStatus, 10_000)];
        assert_eq!(choose(&all, Nodes::Behind, speed(60.0, 1)), Duration::from_secs(900));
    }
}
