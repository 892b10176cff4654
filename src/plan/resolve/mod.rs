//! Resolution of a request, the configuration file and the machine to a plan, or to all usage
//! errors.
//!
//! [`Resolver`] collects the errors. [`Resolver::basis`] resolves once what does not depend on
//! the size of the load; [`Resolver::plan`] makes a plan for one size, and runs again for each
//! reduction that is tried.

mod assignment;
mod budgets;
mod held;
#[cfg(test)]
mod infra_tests;
mod infrastructure;
mod memory;
mod mix;
mod open_files;
mod peaks;
mod probe_launches;
mod scenarios;
mod script;
mod server_env;
mod server_metrics;
mod server_size;
mod settings;
mod shape;
mod size;
mod target;
#[cfg(test)]
mod tests;
mod thresholds;
mod timing;
#[cfg(test)]
mod timing_tests;
mod unused_flags;

use std::fmt;
use std::time::Duration;

use super::capacity::{LocalParts, LocalServer, Machine};
use super::nodes::NodeCpu;
use super::planned::parts;
use super::server_metrics::ServerMetrics;
use super::{
    Dependencies, LeftOut, LoadPlan, PinnedWorkers, Reduction, Script, ServerTarget, SkySelection,
    ValidityLimits, estimate, fit, ramp,
};
use crate::config::{Config, InfraAssignment, PlanSettings, RampSetting};
use crate::infrastructure::KubernetesSize;
use crate::machine_size::MachineSize;
use crate::metric::{Limit, Threshold};
use crate::record::Version;
use crate::record::request::{LoadRequest, ServerVariable};
use crate::scenario::{Mix, ScenarioId};
use assignment::{Assigned, assign};
use infrastructure::Choice;
use scenarios::Selection;
pub(crate) use settings::LONGEST_TIME;
use shape::Shapes;
pub use shape::default_in_flight;
pub(crate) use size::MAX_USERS;
pub use size::MAX_USERS_ON_ANOTHER_MACHINE;
use size::Size;
use thresholds::Measured;
use timing::Timing;

/// Usage errors of a request, one message each.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageErrors(pub Vec<String>);

impl fmt::Display for UsageErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for UsageErrors {}

impl LoadPlan {
    /// Resolves a request, without any side effects. While the machine's speed is unknown, the
    /// plan lacks what depends on it: the chosen ramp and the estimate.
    pub fn resolve(
        request: &LoadRequest,
        config: &Config,
        machine: &Machine,
    ) -> Result<Self, UsageErrors> {
        let name = request.plan.as_deref().unwrap_or("default");
        let defaults = PlanSettings::default();
        let settings = config.plans.get(name).unwrap_or(&defaults);
        let errors = Vec::new();
        let mut resolver = Resolver { request, config, machine, name, settings, errors };
        let basis = resolver.basis();
        match basis.timing.within() {
            Some(within) => fit::choose(within, |reduction| resolver.plan(&basis, reduction)),
            None => resolver.plan(&basis, Reduction::NONE),
        }
    }
}

/// Sources of a plan, and the usage errors found so far.
struct Resolver<'a> {
    request: &'a LoadRequest,
    config: &'a Config,
    machine: &'a Machine,
    /// Name of the plan.
    name: &'a str,
    settings: &'a PlanSettings,
    /// Usage errors in the order in which they are shown, one message each.
    errors: Vec<String>,
}

/// Parts of a plan that do not depend on the reduction of its load.
struct Basis {
    timing: Timing,
    server: ServerTarget,
    server_size: Option<MachineSize>,
    workers: PinnedWorkers,
    sky: SkySelection,
    dependencies: Dependencies,
    server_env: Vec<ServerVariable>,
    server_metrics: Option<ServerMetrics>,
    budgets: Vec<Limit>,
    thresholds: Vec<Threshold>,
    script: Option<Script>,
    infrastructure: Choice,
    kubernetes_size: KubernetesSize,
    scenarios: Vec<Assigned>,
    left_out: Vec<LeftOut>,
    /// Size by the plan's settings, before any reduction.
    size: Size,
    /// Shapes of the scenarios.
    shapes: Shapes,
    seed: u64,
}

impl Resolver<'_> {
    /// Adds a usage error.
    fn error(&mut self, message: String) {
        self.errors.push(message);
    }

    /// Returns the usage errors, if there are any.
    fn finish(&mut self) -> Result<(), UsageErrors> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(UsageErrors(std::mem::take(&mut self.errors)))
    }

    /// Resolves everything that does not depend on the reduction of the load.
    fn basis(&mut self) -> Basis {
        // Usage errors are shown in the order of these calls.
        let server_env = self.server_env();
        self.check_plan_name();
        self.check_settings();
        let timing = self.timing();
        let server_size = self.server_size();
        let server = self.server(server_size);
        let workers = self.pinned_workers();
        let server_metrics = self.server_metrics(&server);
        let sky = self.sky(&server);
        let dependencies = self.dependencies(&sky);
        let budgets = self.budgets(&server);
        let infrastructure = self.infrastructure(&server);
        let kubernetes_size = self.kubernetes_size();
        let size = self.size(&server);
        let script = self.script();
        let Selection { scenarios, mix, held, left_out } =
            self.scenarios(&server, &infrastructure, script.is_some());
        self.unused_flags(&server, &infrastructure, &scenarios, mix.as_ref());
        let (shapes, seed) = (self.shapes(&scenarios, &held), self.seed());
        let rule = match self.names_scenarios() {
            // The plan's rule is for the plan's scenarios.
            true => InfraAssignment::All,
            false => self.settings.infra_assignment,
        };
        let scenarios = assign(&scenarios, mix.as_ref(), &infrastructure, rule);
        let thresholds = self.thresholds(&Measured {
            scenarios: &scenarios,
            shapes: &shapes,
            server_metrics: server_metrics.as_ref(),
        });
        let used = scenarios.iter().flat_map(|one| one.infras.iter().map(String::as_str)).collect();
        let infrastructure = infrastructure.unless_unused(&used);
        Basis {
            timing,
            server,
            server_size,
            workers,
            sky,
            dependencies,
            server_env,
            server_metrics,
            budgets,
            thresholds,
            script,
            infrastructure,
            kubernetes_size,
            scenarios,
            left_out,
            size,
            shapes,
            seed,
        }
    }

    /// Plan whose load is reduced by `reduction`.
    fn plan(&mut self, basis: &Basis, reduction: Reduction) -> Result<LoadPlan, UsageErrors> {
        let (request, config, settings) = (self.request, self.config, self.settings);
        let local = LocalParts {
            server: LocalServer::of(&basis.server, basis.server_size),
            infrastructure: &basis.infrastructure.chosen,
            kubernetes_size: basis.kubernetes_size,
        };
        let shape = |one: &Assigned| basis.shapes.get(&one.id);
        let size = |one| basis.size.plan(one, shape(one), reduction);
        let mut scenarios: Vec<_> = basis.scenarios.iter().map(size).collect();
        let memory_floor = self.memory_floor();
        let capacity = self.capacity(&mut scenarios, memory_floor, local, basis);
        // Depends on the concurrency, which `capacity` may have reduced.
        self.check_open_files(&scenarios);
        let phase_peaks = self.phase_peaks(&basis.server);
        // A reduced load has a finding of its own.
        if reduction == Reduction::NONE {
            self.check_probe_launches(&scenarios);
        }
        // Only here, so that the errors of all checks are reported together.
        self.finish()?;
        let speed = self.machine.speed;
        let ramp = match (basis.timing.ramp, speed) {
            (RampSetting::Over(time), _) => time,
            (RampSetting::Auto, Some(speed)) if local.server != LocalServer::Elsewhere => {
                let nodes = NodeCpu::of(local.infrastructure, Some(speed));
                ramp::choose(&scenarios, nodes, speed.within(basis.server_size))
            }
            // The speed is unknown, or the server has other CPUs than those that were timed.
            (RampSetting::Auto, _) => Duration::ZERO,
        };
        Ok(LoadPlan {
            version: Version,
            config: request.config.clone(),
            name: self.name.to_owned(),
            sky: basis.sky.clone(),
            dependencies: basis.dependencies.clone(),
            server: basis.server.clone(),
            size: basis.server_size,
            workers: basis.workers,
            server_env: basis.server_env.clone(),
            server_profile: request.server_profile.clone(),
            server_metrics: basis.server_metrics.clone(),
            infrastructure: basis.infrastructure.chosen.clone(),
            without_infrastructure: basis.infrastructure.reason_for_none.clone(),
            catalog: request.catalog.clone(),
            kubernetes_size: basis.kubernetes_size,
            script: basis.script.clone(),
            run_async: request.run_async,
            distinct_users: request.distinct_users || settings.distinct_users,
            keep_server: request.keep_server,
            scenario_timeout: settings.scenario_timeout,
            scenarios,
            left_out: basis.left_out.clone(),
            ramp,
            fit: None,
            baseline: settings.baseline,
            cooldown: settings.cooldown,
            settle_timeout: settings.settle_timeout.unwrap_or_else(|| estimate::settle_time(speed)),
            teardown_timeout: settings.teardown_timeout,
            probe_rate: settings.probe_rate,
            profiler_interval: config.profiler.interval,
            peaks: request.peaks.unwrap_or(config.profiler.peaks),
            phase_peaks,
            upstream_figures: request.upstream_figures,
            budgets: basis.budgets.clone(),
            thresholds: basis.thresholds.clone(),
            memory_floor,
            seed: basis.seed,
            validity: ValidityLimits {
                send_lateness_p99: config.validity.send_lateness_p99,
                profiler_gap: config.validity.profiler_gap,
            },
            capacity,
            speed,
        })
    }
}

/// Whether any scenario launches something, or requests something launched before.
fn takes_infrastructure(scenarios: &[ScenarioId], mix: Option<&Mix>) -> bool {
    let mut parts = scenarios.iter().flat_map(|id| parts(*id, mix));
    parts.any(|(scenario, _)| scenario.needs.takes_infrastructure())
}
