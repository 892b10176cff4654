//! From what was typed and configured to a plan, or to all the reasons against it.
//!
//! A [`Resolver`] has the request, the file and the machine before it, and collects what is
//! wrong with them. [`Resolver::basis`] resolves what every plan of this request has in
//! common, once; [`Resolver::plan`] makes a plan of it, each time that a smaller load is
//! tried.

mod budgets;
mod idle;
mod infrastructure;
mod memory;
mod open_files;
mod pace;
#[cfg(test)]
mod pace_tests;
mod peaks;
mod scenarios;
mod server_env;
mod settings;
mod size;
mod target;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::capacity::{Here, Machine};
use super::{
    LoadPlan, PlannedScenario, Reduction, ServerTarget, SkySelection, ValidityLimits, estimate,
    fit, ramp,
};
use crate::config::{Config, PlanSettings, RampSetting, Thresholds};
use crate::infrastructure::Infrastructure;
use crate::metric::Limit;
use crate::record::Version;
use crate::record::request::{LoadRequest, ServerVariable};
use crate::scenario::{Scenario, ScenarioId};
use infrastructure::Choice;
use pace::Pace;
pub(crate) use size::MAX_USERS;
use size::Size;

/// Everything that is wrong with a request, one message each.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageErrors(pub Vec<String>);

impl fmt::Display for UsageErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for UsageErrors {}

impl LoadPlan {
    /// Resolves a request. Pure: nothing is started, read or written. As long as the
    /// machine's speed isn't known, nothing that follows from it is in the plan.
    pub fn resolve(
        request: &LoadRequest,
        config: &Config,
        machine: &Machine,
    ) -> Result<Self, UsageErrors> {
        let name = request.plan.as_deref().unwrap_or("default");
        let unnamed = PlanSettings::default();
        let settings = config.plans.get(name).unwrap_or(&unnamed);
        let errors = Vec::new();
        let mut resolver = Resolver { request, config, machine, name, settings, errors };
        let basis = resolver.basis();
        match basis.pace.within() {
            Some(within) => fit::choose(within, |by| resolver.plan(&basis, by)),
            None => resolver.plan(&basis, Reduction::NONE),
        }
    }
}

/// What a plan is resolved from, and all that is wrong with it so far.
struct Resolver<'a> {
    request: &'a LoadRequest,
    config: &'a Config,
    machine: &'a Machine,
    /// The name of the plan.
    name: &'a str,
    settings: &'a PlanSettings,
    /// One message each, in the order in which they are shown.
    errors: Vec<String>,
}

/// What all plans of a request have in common, however small they are made.
struct Basis {
    pace: Pace,
    server: ServerTarget,
    sky: SkySelection,
    server_env: Vec<ServerVariable>,
    budgets: Vec<Limit>,
    infrastructure: Choice,
    scenarios: Vec<ScenarioId>,
    /// What was asked for.
    size: Size,
}

impl Resolver<'_> {
    /// Notes what is wrong.
    fn error(&mut self, message: String) {
        self.errors.push(message);
    }

    /// Ends with what is wrong, if anything is.
    fn finish(&mut self) -> Result<(), UsageErrors> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(UsageErrors(std::mem::take(&mut self.errors)))
    }

    /// Resolves what has no size.
    fn basis(&mut self) -> Basis {
        let server_env = self.server_env();
        self.name_of_profile();
        let users = self.typed_users();
        self.settings();
        let iterations = self.typed_iterations();
        let pace = self.pace();
        let server = self.server();
        let sky = self.sky(&server);
        let budgets = self.budgets(&server);
        let infrastructure = self.infrastructure(&server);
        let size = self.size(users, iterations, &infrastructure.chosen);
        let scenarios = self.scenarios(&infrastructure);
        self.idle_flags(&server, &infrastructure, &scenarios);
        let infrastructure = infrastructure.unless_idle(&scenarios);
        Basis { pace, server, sky, server_env, budgets, infrastructure, scenarios, size }
    }

    /// A plan with so much less to do than was asked for.
    fn plan(&mut self, basis: &Basis, by: Reduction) -> Result<LoadPlan, UsageErrors> {
        let (request, config, settings) = (self.request, self.config, self.settings);
        let here = Here {
            server: !matches!(basis.server, ServerTarget::Remote(_)),
            clusters: basis.infrastructure.chosen == Infrastructure::Loopback,
        };
        let size = basis.size.smaller(by);
        let mut scenarios: Vec<_> = basis.scenarios.iter().map(|id| size.plan(*id)).collect();
        let memory_floor = self.memory_floor();
        let capacity = self.capacity(&mut scenarios, memory_floor, here);
        // Only now is it known how many users are at it at once.
        self.open_files(&scenarios);
        let phase_peaks = self.phase_peaks(&basis.server);
        self.finish()?;
        let speed = self.machine.speed;
        let ramp = match (basis.pace.ramp, speed) {
            (RampSetting::Over(time), _) => time,
            (RampSetting::Auto, Some(speed)) if here.server => {
                ramp::choose(&scenarios, ramp::Nodes::of(here.clusters, Some(speed)), speed)
            }
            (RampSetting::Auto, _) => Duration::ZERO,
        };
        Ok(LoadPlan {
            version: Version,
            config: request.config.clone(),
            name: self.name.to_owned(),
            sky: basis.sky.clone(),
            server: basis.server.clone(),
            server_env: basis.server_env.clone(),
            server_profile: request.server_profile.clone(),
            infrastructure: basis.infrastructure.chosen.clone(),
            without_infrastructure: basis.infrastructure.reason_for_none.clone(),
            run_async: request.run_async,
            keep_server: request.keep_server,
            thresholds: thresholds(config, &scenarios),
            scenarios,
            ramp,
            fit: None,
            baseline: settings.baseline,
            cooldown: settings.cooldown,
            settle_timeout: settings.settle_timeout.unwrap_or_else(|| estimate::settle_time(speed)),
            scenario_timeout: settings.scenario_timeout,
            teardown_timeout: settings.teardown_timeout,
            probe_rate: settings.probe_rate,
            profiler_interval: config.profiler.interval,
            peaks: request.peaks.unwrap_or(config.profiler.peaks),
            phase_peaks,
            upstream_figures: request.upstream_figures,
            budgets: basis.budgets.clone(),
            memory_floor,
            validity: ValidityLimits {
                send_lateness_p99: config.validity.send_lateness_p99,
                profiler_gap: config.validity.profiler_gap,
            },
            capacity,
            speed,
        })
    }
}

fn thresholds(config: &Config, scenarios: &[PlannedScenario]) -> Vec<Limit> {
    let of = |(name, thresholds): (&String, &Thresholds)| {
        let scenario = ScenarioId::from_str(name).ok()?;
        let is_planned = scenarios.iter().any(|planned| planned.id == scenario);
        is_planned.then(|| thresholds.limits(scenario))
    };
    config.thresholds.iter().filter_map(of).flatten().collect()
}

/// Whether any of these scenarios launches something, or asks about what was launched.
fn takes_infrastructure(scenarios: &[ScenarioId]) -> bool {
    scenarios.iter().any(|id| Scenario::of(*id).needs.takes_infrastructure())
}
