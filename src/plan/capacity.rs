//! What a plan needs of the machine, and what the machine has.
//!
//! A local server starts an executor for nearly every request that waits, without
//! a limit that a machine could hold: 140 log followers have taken down a machine
//! of 24 GB. A plan whose peak cannot fit is therefore cut down (fewer users at
//! once, said in the report) or refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PlannedScenario, Speed, needs_of};
use crate::limits::{AvailableMemory, MachineLimits};
use crate::record::request::ServerVariable;
use crate::scenario::{Need, Scenario, ScenarioKind};
use crate::units::{ByteSize, total};

/// Proportional memory of an idle server: main process, queue, the executors that
/// its daemons occupy, and in consolidation mode the controllers (measured on
/// 0.14.1 and 24 GB: 21 processes, 12 of them controllers, 2.6 GiB).
const IDLE_SERVER: ByteSize = ByteSize(2_700 << 20);

/// Proportional memory of an executor (measured: 133 to 147 MB) with a margin.
const EXECUTOR: ByteSize = ByteSize(150 << 20);

/// Resident memory of a `sky` process (measured: 158 MB), little of it shared
/// with the server's own Python.
const SKY_PROCESS: ByteSize = ByteSize(158 << 20);

/// The same on loopback, where there is one controller (measured: 1.45 GiB).
const IDLE_SERVER_ON_LOOPBACK: ByteSize = ByteSize(1_500 << 20);

/// Memory of one loopback cluster: skylet, its keeper, the job and its runner. What
/// server and clients don't explain of the machine's growth was 410 MiB for each of
/// ten clusters in one run, and 480 for each of seven in another.
const CLUSTER: ByteSize = ByteSize(450 << 20);

/// The machine that a run is planned for.
#[derive(Clone, Debug)]
pub struct Machine {
    /// All its memory, or as much of it as a control group may have.
    pub memory_total: ByteSize,
    /// What can be had of it now.
    pub memory_available: ByteSize,
    /// Limits of control groups and of the shell.
    pub limits: MachineLimits,
    /// Why the loopback infrastructure can't be here, if it can't.
    pub loopback_obstacle: Option<String>,
    /// How fast it is, once that was measured.
    pub speed: Option<Speed>,
    /// Variables of the shell, as far as an isolated server is to be given them.
    pub shell: Vec<ServerVariable>,
}

impl Machine {
    /// The same machine below the memory limit of a control group.
    #[must_use]
    pub fn below(self, memory: Option<AvailableMemory>) -> Self {
        let Some(memory) = memory else { return self };
        Self {
            memory_total: self.memory_total.min(memory.limit),
            memory_available: self.memory_available.min(memory.available),
            ..self
        }
    }

    /// The memory limit in words, to be put behind what can be used.
    pub fn memory_limit(&self) -> String {
        self.limits.memory.as_ref().map_or_else(String::new, |limit| format!("; {limit}"))
    }

    /// Available memory that is left alone unless the user says otherwise: the
    /// larger of 1 GiB and 5 %.
    pub fn default_floor(&self) -> ByteSize {
        ByteSize::gib(1).max(ByteSize(self.memory_total.as_u64() / 20))
    }
}

/// What a plan needs of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Capacity {
    /// Estimated peak if all users were at it at once.
    pub wanted: ByteSize,
    /// Estimated peak of the plan as it is.
    pub planned: ByteSize,
    /// What may be used: available memory less the floor.
    pub usable: ByteSize,
}

impl Capacity {
    /// Whether fewer users than asked for are at it at once.
    pub fn is_lowered(&self) -> bool {
        self.planned < self.wanted
    }
}

/// Why a plan does not fit: even one user at a time of each scenario is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DoesNotFit {
    /// The least that is needed.
    pub(super) least: ByteSize,
}

/// Lowers `at_once` of the scenarios, all by the same factor, until their
/// estimated peak is at most `usable`.
pub(super) fn fit(
    scenarios: &mut [PlannedScenario],
    usable: ByteSize,
    here: Here,
) -> Result<Capacity, DoesNotFit> {
    let base = base(scenarios, here);
    let each = |scenario: &PlannedScenario| cost_of_one_user(scenario, here);
    let peak = |scenarios: &[PlannedScenario]| -> u64 {
        let users = scenarios.iter().map(|s| each(s).saturating_mul(u64::from(s.concurrency)));
        base.saturating_add(total(users))
    };
    let wanted = peak(scenarios);
    let for_users = usable.as_u64().saturating_sub(base);
    if wanted > usable.as_u64() {
        let asked = wanted - base;
        for scenario in scenarios.iter_mut().filter(|s| each(s) > 0) {
            let share = u128::from(scenario.users) * u128::from(for_users) / u128::from(asked);
            scenario.concurrency = u32::try_from(share).unwrap_or(u32::MAX).max(1);
        }
    }
    let planned = peak(scenarios);
    if planned > usable.as_u64() {
        return Err(DoesNotFit { least: ByteSize(planned) });
    }
    Ok(Capacity { wanted: ByteSize(wanted), planned: ByteSize(planned), usable })
}

/// What of a run takes place on this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    /// The server.
    pub(super) server: bool,
    /// What is launched.
    pub(super) clusters: bool,
}

/// What is there before the first user: the server, and what scenarios share.
fn base(scenarios: &[PlannedScenario], here: Here) -> u64 {
    let shared = needs_of(scenarios).into_iter().filter(|need| need.is_shared());
    let count = u64::try_from(shared.count()).unwrap_or(0);
    let idle = if here.clusters { IDLE_SERVER_ON_LOOPBACK } else { IDLE_SERVER };
    let server = if here.server { idle.as_u64() + count * EXECUTOR.as_u64() } else { 0 };
    server + if here.clusters { count * CLUSTER.as_u64() } else { 0 }
}

fn cost_of_one_user(planned: &PlannedScenario, here: Here) -> u64 {
    let scenario = Scenario::of(planned.id);
    let on_server = match here.server {
        true => EXECUTOR.as_u64() * u64::from(scenario.concurrent_processes),
        false => 0,
    };
    let on_nodes = match scenario.needs {
        Need::Infrastructure if here.clusters => CLUSTER.as_u64(),
        _ => 0,
    };
    let own = match planned.id.kind() {
        ScenarioKind::Cli => SKY_PROCESS.as_u64(),
        ScenarioKind::Api | ScenarioKind::Probe => 0,
    };
    on_server + on_nodes + own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::ScenarioId;

    const HERE: Here = Here { server: true, clusters: true };

    fn users(id: ScenarioId, users: u32) -> PlannedScenario {
        PlannedScenario { id, users, iterations: 2, concurrency: users }
    }

    #[test]
    fn a_plan_that_fits_is_left_as_it_is() {
        let mut scenarios = [users(ScenarioId::ApiStatus, 50)];
        let capacity = fit(&mut scenarios, ByteSize::gib(20), HERE).unwrap();
        assert_eq!(scenarios[0].concurrency, 50);
        assert!(!capacity.is_lowered());
    }

    #[test]
    fn a_plan_that_does_not_fit_is_lowered_until_it_does() {
        let mut scenarios = [
            users(ScenarioId::ApiStatus, 100),
            users(ScenarioId::CliStatus, 100),
            users(ScenarioId::ApiValidate, 100),
        ];
        let capacity = fit(&mut scenarios, ByteSize::gib(16), HERE).unwrap();
        assert!(capacity.is_lowered() && capacity.planned <= ByteSize::gib(16));
        assert!(scenarios[0].concurrency < 20 && scenarios[0].concurrency >= 1);
        assert_eq!(scenarios[2].concurrency, 100, "validation starts no executor");
        assert_eq!(scenarios[0].users, 100, "every user still runs an iteration");
    }

    #[test]
    fn a_machine_that_cannot_hold_one_user_of_each_is_refused() {
        let mut scenarios = [users(ScenarioId::CliStatus, 5)];
        assert!(fit(&mut scenarios, ByteSize::gib(2), HERE).is_err());
    }

    #[test]
    fn what_is_launched_on_this_machine_needs_its_memory() {
        let wanted = |clusters| {
            let mut scenarios = [users(ScenarioId::ApiLaunchAndLogs, 4)];
            let here = Here { clusters, ..HERE };
            fit(&mut scenarios, ByteSize::gib(16), here).unwrap().wanted.as_u64()
        };
        let idle = IDLE_SERVER.as_u64() - IDLE_SERVER_ON_LOOPBACK.as_u64();
        assert_eq!(wanted(true) + idle - wanted(false), 4 * CLUSTER.as_u64());
    }

    #[test]
    fn a_remote_servers_executors_cost_this_machine_nothing() {
        let elsewhere = Here { server: false, clusters: false };
        let mut scenarios = [users(ScenarioId::ApiStatus, 1000)];
        let capacity = fit(&mut scenarios, ByteSize::gib(1), elsewhere).unwrap();
        assert_eq!(capacity.wanted, ByteSize(0));
    }
}
