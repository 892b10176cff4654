//! How long a plan will take, from what each of its operations costs.
//!
//! Everything is CPU: the machine is busy from the first request to the last. The
//! time of a phase is therefore its CPU-seconds over the CPUs, or the longest chain
//! of operations that wait for one another, whichever is longer. Where groups of
//! scenarios run sequentially, the load is one such phase for each of them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{LoadPlan, Speed};
use crate::infrastructure::Infrastructure;
use crate::record::Estimate;
use crate::scenario::{Cost, Group, Need, Scenario, ScenarioId, ScenarioKind};

/// CPU-seconds from the server's start until it is at rest: the main process, the
/// executors of its daemons and its controllers import SkyPilot.
const START: f64 = 34.0;

/// Bounds of the time that a server is given to become idle.
const LEAST_SETTLE: Duration = Duration::from_secs(60);
const MOST_SETTLE: Duration = Duration::from_secs(180);

/// CPU-seconds of stopping it.
const STOP: f64 = 5.0;

/// CPU-seconds of taking one cluster down.
const DOWN: f64 = 6.0;

/// The shortest time of an iteration that needs nothing but a server, in seconds.
const QUICK_CHAIN: f64 = 5.0;

/// Of the CPUs' time, what phases under load make use of: at their beginning and
/// end some wait for others.
const UTILISATION: f64 = 0.85;

/// One phase: all that is to be done, and the longest chain of it.
#[derive(Clone, Copy, Default)]
struct Phase {
    cpu: f64,
    chain: f64,
}

impl Phase {
    fn add(&mut self, count: f64, cost: f64, chain: f64) {
        self.cpu += count * cost;
        self.chain = self.chain.max(chain);
    }

    fn seconds(self, cpus: f64) -> f64 {
        (self.cpu / cpus / UTILISATION).max(self.chain)
    }
}

impl Estimate {
    /// Of a plan on a machine.
    pub fn of(plan: &LoadPlan, speed: Speed) -> Self {
        let on_nodes = if plan.infrastructure == Infrastructure::Loopback { 1.0 } else { 0.0 };
        let on_server = if plan.is_remote() { 0.0 } else { 1.0 };
        let total = |cost: Cost| on_server * cost.server + cost.client + on_nodes * cost.nodes;
        let launch = total(Cost::of_launch(0.0));
        let infras = f64::from(plan.infrastructure.count());
        let (mut set_up, mut tear_down) = (Phase::default(), Phase::default());
        // Scenarios of one group, which run concurrently; without groups, all do.
        let groups_are_sequential = !plan.groups().is_empty();
        let mut loads: BTreeMap<Option<Group>, Phase> = BTreeMap::new();
        for planned in &plan.scenarios {
            let scenario = Scenario::of(planned.id);
            let iterations = f64::from(planned.users) * f64::from(planned.iterations);
            // The health probe runs during the load of every group.
            let waits = planned.id.kind() != ScenarioKind::Probe;
            let chain =
                if waits { f64::from(planned.iterations) * chain_of(planned.id) } else { 0.0 };
            let load =
                loads.entry(planned.id.group().filter(|_| groups_are_sequential)).or_default();
            load.add(iterations, total(scenario.cost), chain);
            if scenario.needs == Need::Infrastructure {
                tear_down.add(iterations, DOWN, 15.0);
            }
        }
        for shared in plan.needs().into_iter().filter(|need| need.is_shared()) {
            let service = if shared == Need::Service { 12.0 } else { 0.0 };
            set_up.add(infras, launch + service, 25.0 + 2.0 * service);
            tear_down.add(infras, DOWN, 15.0);
        }
        let (factor, cpus) = (speed.factor(), speed.effective_cpus());
        let phases = || [set_up, tear_down].into_iter().chain(loads.values().copied());
        // A chain waits for one thing after the other, at the machine's speed as well.
        let load: f64 = loads
            .iter()
            .map(|(group, phase)| {
                // Who starts last has the whole iteration before them.
                let starts = plan.starts_of(*group).as_secs_f64() + QUICK_CHAIN * factor;
                // The health probe has no end of its own.
                let is_waited_for = phase.chain > 0.0;
                (phase.seconds(cpus) * factor).max(if is_waited_for { starts } else { 0.0 })
            })
            .sum();
        let edges_of_load = [set_up, tear_down].into_iter().map(|phase| phase.seconds(cpus));
        let busy = edges_of_load.sum::<f64>() * factor + load;
        let own: f64 = phases().map(|phase| phase.cpu).sum();
        let (cpu, edges) = match plan.is_remote() {
            true => (own, 0.0),
            false => (own + START + STOP, (START + STOP) / cpus + 4.0),
        };
        let idle = plan.baseline.saturating_add(plan.cooldown);
        Self {
            duration: seconds(busy + edges * factor).saturating_add(idle),
            cpu: seconds(cpu * factor),
            cpus: speed.cpus.allowed,
            cpu_quota: speed.cpus.quota,
            load: Some(seconds(load)),
        }
    }
}

/// Time in which a server that was started comes to be idle, at the most: three times as
/// long as its imports take, so that a machine that is slower for a moment is waited for.
pub(super) fn settle_time(speed: Option<Speed>) -> Duration {
    let Some(speed) = speed else { return LEAST_SETTLE };
    seconds(3.0 * speed.time_of(START)).clamp(LEAST_SETTLE, MOST_SETTLE)
}

/// A time that can be written down, however slow a machine is.
fn seconds(seconds: f64) -> Duration {
    const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Duration::try_from_secs_f64(seconds).unwrap_or(A_YEAR).min(A_YEAR)
}

/// The shortest time that an iteration takes, in seconds, however many CPUs there are.
fn chain_of(id: ScenarioId) -> f64 {
    match Scenario::of(id).needs {
        Need::Infrastructure => 25.0,
        Need::Job => 30.0,
        _ => QUICK_CHAIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::limits::{Cpus, MachineLimits};
    use crate::plan::Machine;
    use crate::record::request::LoadRequest;
    use crate::units::ByteSize;

    /// On so many CPUs the longest chain is all that counts.
    fn seconds_of_chains(request: &LoadRequest) -> f64 {
        let config = Config::parse(include_str!("../../skyload.toml"), "skyload.toml").unwrap();
        let machine = Machine {
            memory_total: ByteSize::gib(24),
            memory_available: ByteSize::gib(22),
            limits: MachineLimits::NONE,
            loopback_obstacle: None,
            speed: None,
            shell: Vec::new(),
        };
        let plan = LoadPlan::resolve(request, &config, &machine).unwrap();
        let import = Duration::from_secs_f64(Cost::REFERENCE_IMPORT);
        let cpus = Cpus { allowed: 1 << 20, quota: None };
        let speed = Speed { cpus, import, elapsed: import, concurrency: 1, others: None };
        Estimate::of(&plan, speed).duration.as_secs_f64()
    }

    #[test]
    fn sequential_groups_take_as_long_as_all_of_them_together() {
        let list = |names: &str| vec![names.to_owned()];
        let at_once = LoadRequest {
            iterations: Some("1".to_owned()),
            api: list("status launch_and_logs"),
            cli: list("status launch"),
            ..LoadRequest::default()
        };
        let sequential = LoadRequest { phase_peaks: true, ..at_once.clone() };
        // api, cli, api-infra, cli-infra: 5, 5, 25 and 25 s; at once, the longest alone.
        let more = seconds_of_chains(&sequential) - seconds_of_chains(&at_once);
        assert!((more - 35.0).abs() < 0.1, "{more}");
    }
}
