//! How long a plan will take, from what each of its operations costs.
//!
//! Everything is CPU: the machine is busy from the first request to the last. The
//! time of a phase is therefore its CPU-seconds over the CPUs, or the longest chain
//! of operations that wait for one another, whichever is longer.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LoadPlan;
use crate::infrastructure::Infrastructure;
use crate::scenario::{Cost, Need, Scenario, ScenarioId};
use crate::units;

/// CPU-seconds from the server's start until it is at rest: the main process, the
/// executors of its daemons and its controllers import SkyPilot.
const START: f64 = 34.0;

/// CPU-seconds of stopping it.
const STOP: f64 = 5.0;

/// CPU-seconds of taking one cluster down.
const DOWN: f64 = 6.0;

/// Of the CPUs' time, what phases under load make use of: at their beginning and
/// end some wait for others.
const UTILISATION: f64 = 0.85;

/// How long a plan will take.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Estimate {
    /// From the server's start to its end.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::schema::Seconds")]
    pub duration: Duration,
    /// CPU time in all processes of the run.
    #[serde(with = "units::seconds")]
    #[schemars(with = "crate::schema::Seconds")]
    pub cpu: Duration,
    /// CPUs that share it.
    pub cpus: usize,
}

/// How fast a machine is.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// CPUs that can be used.
    pub cpus: usize,
    /// CPU time of one `import sky`.
    pub import: Duration,
}

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
        let total = |cost: Cost| cost.server + cost.client + on_nodes * cost.nodes;
        let launch = total(Cost::of_launch(0.0));
        let infras = f64::from(plan.infrastructure.count());
        let (mut set_up, mut load, mut tear_down) =
            (Phase::default(), Phase::default(), Phase::default());
        for planned in &plan.scenarios {
            let scenario = Scenario::of(planned.id);
            let turns = f64::from(planned.users) * f64::from(planned.waves);
            let chain = f64::from(planned.waves) * chain_of(planned.id);
            load.add(turns, total(scenario.cost), chain);
            if scenario.needs == Need::Infrastructure {
                tear_down.add(turns, DOWN, 15.0);
            }
        }
        for shared in plan.needs().into_iter().filter(|need| need.is_fixture()) {
            let service = if shared == Need::Service { 12.0 } else { 0.0 };
            set_up.add(infras, launch + service, 25.0 + 2.0 * service);
            tear_down.add(infras, DOWN, 15.0);
        }
        let factor = speed.import.as_secs_f64() / Cost::OF_ONE_IMPORT;
        #[expect(clippy::cast_precision_loss, reason = "a machine has fewer than 2^52 CPUs")]
        let cpus = speed.cpus.max(1) as f64;
        let phases = [set_up, load, tear_down];
        let busy: f64 = phases.iter().map(|phase| phase.seconds(cpus)).sum();
        let own: f64 = phases.iter().map(|phase| phase.cpu).sum();
        let (cpu, edges) = match plan.is_remote() {
            true => (own, 0.0),
            false => (own + START + STOP, (START + STOP) / cpus + 4.0),
        };
        let idle = plan.baseline + plan.drain;
        Self {
            duration: Duration::from_secs_f64((busy + edges) * factor) + idle,
            cpu: Duration::from_secs_f64(cpu * factor),
            cpus: speed.cpus,
        }
    }
}

/// The shortest time that a turn takes, in seconds, however many CPUs there are.
fn chain_of(id: ScenarioId) -> f64 {
    match Scenario::of(id).needs {
        Need::Infrastructure => 25.0,
        Need::Job => 30.0,
        _ => 5.0,
    }
}
