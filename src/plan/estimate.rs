//! Estimate of a plan's duration and CPU time, from the costs of its operations.
//!
//! A run is bound by the CPU from the first request to the last. The time of a phase is its
//! CPU-seconds divided by the CPUs, or its critical path (the longest sequence of operations that
//! wait for one another), whichever is longer. If scenario groups run sequentially, each has a
//! load phase of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use super::nodes::node_work;
use super::{LoadPlan, PlannedScenario, Speed};
use crate::record::Estimate;
use crate::scenario::{Cost, Group, Need, Scenario, ScenarioId, ScenarioKind};
use crate::shape::{LoadShape, Model};

/// CPU-seconds of the server from its start until it is idle: the main process, the executors of
/// its daemons and its controllers import SkyPilot.
const START_CPU: f64 = 34.0;

/// Bounds of the default settle timeout.
const MIN_SETTLE: Duration = Duration::from_secs(60);
const MAX_SETTLE: Duration = Duration::from_secs(180);

/// CPU-seconds of stopping the server.
const STOP_CPU: f64 = 5.0;

/// CPU-seconds of tearing down one cluster.
const TEARDOWN_CPU: f64 = 6.0;

/// Shortest time of an iteration that launches nothing, in seconds.
const MIN_ITERATION: f64 = 5.0;

/// Share of the CPUs that a phase uses: less than 1, since few operations run at its start and
/// end.
const UTILISATION: f64 = 0.85;

/// Work of one phase in CPU-seconds, and its critical path in seconds.
#[derive(Clone, Copy, Default)]
struct Phase {
    cpu: f64,
    critical_path: f64,
    /// CPU-seconds of loads that last for a time, and the longest of these times in seconds.
    timed_cpu: f64,
    time: f64,
}

impl Phase {
    fn add(&mut self, count: f64, cost: f64, critical_path: f64) {
        self.cpu += count * cost;
        self.critical_path = self.critical_path.max(critical_path);
    }

    fn add_timed(&mut self, cpu: f64, time: Duration) {
        self.timed_cpu += cpu;
        self.time = self.time.max(time.as_secs_f64());
    }

    fn seconds(self, cpus: f64) -> f64 {
        (self.cpu / cpus / UTILISATION).max(self.critical_path)
    }

    /// CPU-seconds of the phase. In a fixed time, the CPUs limit the work.
    fn cpu(self, cpus: f64) -> f64 {
        self.cpu + self.timed_cpu.min(self.time * cpus)
    }
}

impl Estimate {
    /// Estimate for a plan on a machine of `speed`.
    pub fn of(plan: &LoadPlan, speed: Speed) -> Self {
        // Work of another machine takes no CPU from this one.
        let on_server = if plan.is_remote() { 0.0 } else { 1.0 };
        let total = |cost: Cost, on_nodes: f64| {
            on_server * cost.server + cost.client + on_nodes * cost.nodes
        };
        let is_local = plan.infrastructure.is_local();
        let (mut set_up, mut tear_down) = (Phase::default(), Phase::default());
        // Scenarios of one group, which run concurrently; without groups, all do.
        let groups_are_sequential = !plan.groups().is_empty();
        let mut loads: BTreeMap<Option<Group>, Phase> = BTreeMap::new();
        for planned in &plan.scenarios {
            let iterations = iterations_of(planned);
            let load = loads.entry(planned.group().filter(|_| groups_are_sequential)).or_default();
            let on_nodes = if is_local { node_work(&planned.infras) } else { 0.0 };
            let cost = total(planned.cost(), on_nodes);
            match &planned.shape {
                // Runs for as long as the load, and does not extend it.
                LoadShape::Burst { .. } if planned.id.kind().accompanies_load() => {
                    load.add(iterations, cost, 0.0);
                }
                LoadShape::Burst { iterations: count } => {
                    let critical_path = f64::from(*count) * critical_path_of(planned);
                    load.add(iterations, cost, critical_path);
                }
                // Takes its time, however much of its work is done in it.
                LoadShape::Timed(timed) => {
                    let down = planned.share_leaving_clusters() * TEARDOWN_CPU;
                    load.add_timed(iterations * (cost + down), timed.total());
                }
            }
            let left = iterations * share_left_for_teardown(planned);
            if left > 0.0 {
                tear_down.add(left, TEARDOWN_CPU, 15.0);
            }
        }
        for (shared, infra) in plan.shared_resources() {
            let on_nodes = if is_local { node_work(&[infra]) } else { 0.0 };
            if shared == Need::LongJob {
                // A job on the cluster that is set up as well.
                let exec = Scenario::of(ScenarioId::ApiExec).cost;
                set_up.add(1.0, total(exec, on_nodes), 0.0);
                continue;
            }
            // CPU-seconds of a service in addition to those of launching its replica.
            let service = if shared == Need::Service { 12.0 } else { 0.0 };
            let launch = total(Cost::of_launch(0.0), on_nodes);
            set_up.add(1.0, launch + service, 25.0 + 2.0 * service);
            tear_down.add(1.0, TEARDOWN_CPU, 15.0);
        }
        let (factor, cpus) = (speed.factor(), speed.effective_cpus());
        let phases = || [set_up, tear_down].into_iter().chain(loads.values().copied());
        // The factor applies to critical paths, too: they consist of imports as well.
        let load: f64 = loads
            .iter()
            .map(|(group, phase)| {
                // The last user starts at the end of the ramp and still needs an iteration.
                let last_end = plan.ramp_time(*group).as_secs_f64() + MIN_ITERATION * factor;
                // A phase of the health probe alone has no users to wait for.
                let has_users = phase.critical_path > 0.0;
                let bursts =
                    (phase.seconds(cpus) * factor).max(if has_users { last_end } else { 0.0 });
                // Users that the ramp delays go on for as long as the others.
                bursts.max(if phase.time > 0.0 { phase.time + last_end } else { 0.0 })
            })
            .sum();
        let around_load = [set_up, tear_down].into_iter().map(|phase| phase.seconds(cpus));
        let busy = around_load.sum::<f64>() * factor + load;
        let phases_cpu: f64 = phases().map(|phase| phase.cpu(cpus)).sum();
        let (cpu, start_and_stop) = match plan.is_remote() {
            true => (phases_cpu, 0.0),
            false => (phases_cpu + START_CPU + STOP_CPU, (START_CPU + STOP_CPU) / cpus + 4.0),
        };
        let idle = plan.baseline.saturating_add(plan.cooldown);
        Self {
            duration: seconds(busy + start_and_stop * factor).saturating_add(idle),
            cpu: seconds(cpu * factor),
            cpus: speed.cpus.allowed,
            cpu_quota: speed.cpus.quota,
            load: Some(seconds(load)),
        }
    }
}

impl PlannedScenario {
    /// Estimate for the iterations of all users, rounded up.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and a cast saturates"
    )]
    pub fn expected_iterations(&self) -> u64 {
        iterations_of(self).ceil() as u64
    }
}

/// Estimate for the number of iterations of all users.
fn iterations_of(planned: &PlannedScenario) -> f64 {
    match &planned.shape {
        // A connection of each user.
        _ if planned.id.kind() == ScenarioKind::Hold => f64::from(planned.users),
        LoadShape::Burst { iterations } => f64::from(planned.users) * f64::from(*iterations),
        LoadShape::Timed(timed) => match timed.model {
            Model::Arrivals { .. } => timed.area(),
            Model::Users { pause, .. } => {
                timed.area() / (critical_path_of(planned) + pause.longest().as_secs_f64())
            }
        },
    }
}

/// Share of a scenario's iterations that launch a cluster which they do not take down.
fn share_left_for_teardown(planned: &PlannedScenario) -> f64 {
    let is_timed = planned.shape.timed().is_some();
    let is_left = |(scenario, _): &(&Scenario, f64)| {
        let takes_down = scenario.takes_cluster_down() || is_timed && scenario.leaves_cluster();
        scenario.needs == Need::Infrastructure && !takes_down
    };
    planned.parts().into_iter().filter(is_left).map(|(_, share)| share).sum()
}

/// Default settle timeout: three times the estimate for the server's start, since the machine
/// may be slower than when its speed was measured.
pub(super) fn settle_time(speed: Option<Speed>) -> Duration {
    let Some(speed) = speed else { return MIN_SETTLE };
    seconds(3.0 * speed.time_of(START_CPU)).clamp(MIN_SETTLE, MAX_SETTLE)
}

/// Duration of at most a year: on a very slow machine, an estimate may exceed a [`Duration`].
fn seconds(seconds: f64) -> Duration {
    const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Duration::try_from_secs_f64(seconds).unwrap_or(A_YEAR).min(A_YEAR)
}

/// Critical path of an iteration, in seconds: the shortest time that it takes with any number of
/// CPUs; of a mix, the mean of its operations.
fn critical_path_of(planned: &PlannedScenario) -> f64 {
    planned.parts().into_iter().map(|(scenario, share)| share * critical_path(scenario)).sum()
}

fn critical_path(scenario: &Scenario) -> f64 {
    match scenario.needs {
        // A launch, a stop and a start.
        Need::Infrastructure if scenario.id == ScenarioId::ApiStartStop => 60.0,
        // A launch, up to a minute until the cluster stops itself, and the stop.
        Need::Infrastructure if scenario.id == ScenarioId::ApiAutostop => 120.0,
        // Two launches, and the steps between them.
        Need::Infrastructure if scenario.id == ScenarioId::ApiSession => 100.0,
        Need::Infrastructure if scenario.id == ScenarioId::CliSession => 150.0,
        // A launch.
        Need::Infrastructure | Need::OptionalInfrastructure => 25.0,
        // The log is followed until the shared job ends.
        Need::Job => 30.0,
        _ => MIN_ITERATION,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::config::Config;
    use crate::limits::{Cpus, MachineLimits};
    use crate::plan::Machine;
    use crate::record::request::LoadRequest;
    use crate::units::ByteSize;

    /// Estimate with so many CPUs that only critical paths count.
    fn estimate(request: &LoadRequest) -> Estimate {
        let config = Config::parse(include_str!("../../skyload.toml"), "skyload.toml").unwrap();
        let machine = Machine {
            memory_total: ByteSize::gib(24),
            memory_available: ByteSize::gib(22),
            limits: MachineLimits::NONE,
            obstacles: BTreeMap::new(),
            without_nodes: BTreeMap::new(),
            speed: None,
            shell: Vec::new(),
        };
        let plan = LoadPlan::resolve(request, &config, &machine).unwrap();
        let import = Duration::from_secs_f64(Cost::REFERENCE_IMPORT);
        let cpus = Cpus { allowed: 1 << 20, quota: None };
        let speed = Speed { cpus, import, elapsed: import, concurrency: 1, others: None };
        Estimate::of(&plan, speed)
    }

    fn words(text: &str) -> Vec<String> {
        vec![text.to_owned()]
    }

    #[test]
    fn sequential_groups_take_the_sum_of_their_critical_paths() {
        let concurrent = LoadRequest {
            iterations: Some("1".to_owned()),
            api: words("status launch_and_logs"),
            cli: words("status launch"),
            ..LoadRequest::default()
        };
        let sequential = LoadRequest { phase_peaks: true, ..concurrent.clone() };
        // Groups api, cli, api-infra and cli-infra: 5, 5, 25 and 25 s; concurrently 25 s.
        let seconds = |request| estimate(request).duration.as_secs_f64();
        let more = seconds(&sequential) - seconds(&concurrent);
        assert!((more - 35.0).abs() < 0.1, "{more}");
    }

    #[rstest]
    #[case::launch("launch_and_logs", None, 15.0)]
    #[case::managed_job("jobs_launch", None, 15.0)]
    #[case::launch_in_a_load_for_a_time("launch_and_logs", Some("5m"), 0.0)]
    #[case::session("session", None, 0.0)]
    #[case::cancelled_launch("launch_cancel", None, 0.0)]
    fn scenarios_that_take_their_cluster_down_leave_nothing_to_the_teardown(
        #[case] api: &str,
        #[case] time: Option<&str>,
        #[case] teardown: f64,
    ) {
        let around_load = |api: &str, time: Option<&str>| {
            let request = LoadRequest {
                api: words(api),
                users: Some("5".to_owned()),
                time: time.map(str::to_owned),
                ..LoadRequest::default()
            };
            let Estimate { duration, load, .. } = estimate(&request);
            (duration - load.unwrap()).as_secs_f64()
        };
        let more = around_load(api, time) - around_load("status", None);
        assert!((more - teardown).abs() < 0.1, "{more}");
    }
}
