//! From what was typed and configured to a plan, or to all the reasons against it.

mod budgets;
mod idle;
mod infrastructure;
mod open_files;
mod pace;
#[cfg(test)]
mod pace_tests;
mod peaks;
mod scenarios;
mod target;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::capacity::{self, Machine};
use super::estimate;
use super::{
    LoadPlan, PlannedScenario, Reduction, ScenarioThresholds, ServerTarget, ValidityLimits, fit,
    needs_of, ramp,
};
use infrastructure::Choice;

use crate::config::{Config, Profile, RampSetting, SizeSetting, suggest};
use crate::infrastructure::Infrastructure;
use crate::record::Version;
use crate::record::request::LoadRequest;
use crate::scenario::{Scenario, ScenarioId, ScenarioKind};

/// More than this many users of one scenario is a slip of the finger: each may
/// cost the server a process.
pub(crate) const MAX_USERS: u32 = 10_000;

/// So many turns of a user take days.
const MAX_ITERATIONS: u32 = 1_000;

/// No part of a run takes so long, and no wait is meant to.
const LONGEST_TIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

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
        let mut mistakes = Mistakes(Vec::new());
        let (_, profile) = mistakes.profile(request, config);
        let smaller = |by| Self::resolve_smaller(request, config, machine, by);
        match mistakes.pace(request, &profile).within() {
            Some(within) => fit::choose(within, smaller),
            None => smaller(Reduction::NONE),
        }
    }

    /// Resolves a request with less to do than it asks for.
    fn resolve_smaller(
        request: &LoadRequest,
        config: &Config,
        machine: &Machine,
        by: Reduction,
    ) -> Result<Self, UsageErrors> {
        let mut mistakes = Mistakes(Vec::new());
        let (plan_name, profile) = mistakes.profile(request, config);
        let users = mistakes.count("-n", request.users.as_deref(), MAX_USERS);
        mistakes.settings(config, &profile);
        let waves = mistakes.count("--waves", request.iterations.as_deref(), MAX_ITERATIONS);
        let pace = mistakes.pace(request, &profile);
        let server = mistakes.server(request);
        let sky = mistakes.sky(request, &server);
        let budgets = mistakes.budgets(request, config, &server);
        let infrastructure = mistakes.infrastructure(request, &profile, &server, machine);
        let users = match users {
            Some(typed) => Users { api: typed, cli: typed, infra: typed },
            None => mistakes.users_of(&profile),
        };
        let turns = Turns {
            users: users.smaller(by),
            iterations: by.iterations(waves.unwrap_or(profile.waves)),
            infra_iterations: by.iterations(waves.unwrap_or(profile.infra_waves)),
            infras: infrastructure.chosen.count().max(1),
        };
        let mut scenarios = mistakes.scenarios(request, &profile, turns, &infrastructure);
        mistakes.idle_flags(request, &server, &infrastructure, &scenarios);
        let memory_floor = match config.safety.memory_floor {
            None | Some(SizeSetting::Auto) => machine.default_floor(),
            Some(SizeSetting::Size(size)) => size,
        };
        // A server that nothing is launched on is not given our infrastructure, and
        // must refuse what a server without one must refuse.
        let is_idle = !needs_of(&scenarios).iter().any(|need| need.takes_infrastructure());
        let infrastructure = match infrastructure {
            Choice { chosen: Infrastructure::Loopback, reason_for_none } if is_idle => {
                Choice { chosen: Infrastructure::None, reason_for_none }
            }
            chosen => chosen,
        };
        let here = capacity::Here {
            server: !matches!(server, ServerTarget::Remote(_)),
            clusters: infrastructure.chosen == Infrastructure::Loopback,
        };
        let usable = machine.memory_available.as_u64().saturating_sub(memory_floor.as_u64());
        let usable = crate::units::ByteSize(usable);
        let capacity = capacity::fit(&mut scenarios, usable, here).unwrap_or_else(|misfit| {
            if !request.yes {
                mistakes.push(format!(
                    "this plan needs at least {} of memory, and {} can be used here ({} available, \
                     of which {} stay free{})\n  hint: fewer scenarios (-r, --apis), a larger machine, \
                     or --yes to try it all the same",
                    misfit.least, usable, machine.memory_available, memory_floor, machine.memory_limit()
                ));
            }
            super::Capacity { wanted: misfit.least, planned: misfit.least, usable }
        });
        // Only now is it known how many users are at it at once.
        let set_by = |id| open_files::users_set_by(request, &profile, id);
        mistakes.open_files(&scenarios, machine, set_by);
        let phase_peaks = mistakes.phase_peaks(request, config, &server);
        mistakes.none_left()?;
        let ramp = match (pace.ramp, machine.speed) {
            (RampSetting::Over(time), _) => time,
            (RampSetting::Auto, Some(speed)) if here.server => ramp::choose(&scenarios, speed),
            (RampSetting::Auto, _) => Duration::ZERO,
        };
        Ok(Self {
            version: Version,
            config: request.config.clone(),
            name: plan_name,
            sky,
            server,
            server_env: request.server_env.clone(),
            server_profile: request.server_profile.clone(),
            infrastructure: infrastructure.chosen,
            without_infrastructure: infrastructure.reason_for_none,
            run_async: request.run_async,
            keep_server: request.keep_server,
            thresholds: thresholds(config, &scenarios),
            scenarios,
            ramp,
            fit: None,
            baseline: profile.baseline,
            cooldown: profile.drain,
            settle_timeout: profile.settle.unwrap_or_else(|| estimate::settle_time(machine.speed)),
            scenario_timeout: profile.scenario_timeout,
            teardown_timeout: profile.teardown_timeout,
            probe_rate: profile.probe_rate,
            profiler_interval: config.profiler.interval,
            peaks: request.peaks.unwrap_or(config.profiler.peaks),
            phase_peaks,
            upstream_figures: request.upstream_figures,
            budgets,
            memory_floor,
            validity: ValidityLimits {
                send_lateness_p99: config.validity.send_lateness_p99,
                profiler_gap: config.validity.profiler_gap,
            },
            capacity,
            speed: machine.speed,
        })
    }
}

fn thresholds(config: &Config, scenarios: &[PlannedScenario]) -> Vec<ScenarioThresholds> {
    config
        .thresholds
        .iter()
        .filter_map(|(name, limits)| {
            let scenario = ScenarioId::from_str(name).ok()?;
            let planned = scenarios.iter().any(|planned| planned.id == scenario);
            planned.then_some(ScenarioThresholds { scenario, limits: *limits })
        })
        .collect()
}

/// How many users each kind of scenario has.
#[derive(Clone, Copy)]
struct Users {
    api: u32,
    cli: u32,
    infra: u32,
}

impl Users {
    /// What is left of them in a smaller load.
    fn smaller(self, by: Reduction) -> Self {
        Self { api: by.users(self.api), cli: by.users(self.cli), infra: by.users(self.infra) }
    }
}

/// How many users, and how often each takes a turn.
#[derive(Clone, Copy)]
struct Turns {
    users: Users,
    iterations: u32,
    infra_iterations: u32,
    infras: u32,
}

impl Turns {
    fn plan(self, id: ScenarioId) -> PlannedScenario {
        let takes_infrastructure = Scenario::of(id).needs.takes_infrastructure();
        let (users, iterations) = match id.kind() {
            ScenarioKind::Probe => (1, 1),
            _ if takes_infrastructure => {
                (self.users.infra.saturating_mul(self.infras), self.infra_iterations)
            }
            ScenarioKind::Api => (self.users.api, self.iterations),
            ScenarioKind::Cli => (self.users.cli, self.iterations),
        };
        PlannedScenario { id, users, iterations, concurrency: users }
    }
}

struct Mistakes(Vec<String>);

impl Mistakes {
    fn push(&mut self, mistake: String) {
        self.0.push(mistake);
    }

    fn none_left(&mut self) -> Result<(), UsageErrors> {
        if self.0.is_empty() { Ok(()) } else { Err(UsageErrors(std::mem::take(&mut self.0))) }
    }

    fn profile(&mut self, request: &LoadRequest, config: &Config) -> (String, Profile) {
        let name = request.plan.as_deref().unwrap_or("default");
        let profile = config.profiles.get(name).cloned();
        if profile.is_none() && (request.plan.is_some() || !config.profiles.is_empty()) {
            let known = config.profiles.keys().map(String::as_str);
            self.push(format!(
                "--profile: no profile is called `{name}`; {}",
                suggest(name, known)
            ));
        }
        (name.to_owned(), profile.unwrap_or_default())
    }

    fn users_of(&mut self, profile: &Profile) -> Users {
        let api = profile.requests_per_scenario;
        let cli = profile.cli_requests_per_scenario.unwrap_or(api);
        let infra = profile.infra_requests_per_scenario;
        for users in [api, cli, infra] {
            if !(1..=MAX_USERS).contains(&users) {
                self.push(format!(
                    "requests-per-scenario: {users} is not a number from 1 to {MAX_USERS}"
                ));
            }
        }
        Users { api, cli, infra }
    }

    /// Values of the file that are of the right type and yet make no sense.
    fn settings(&mut self, config: &Config, profile: &Profile) {
        if config.profiler.interval < Duration::from_millis(1) {
            self.push("[profiler] interval: it must be at least 1ms".to_owned());
        }
        if profile.baseline.is_zero() {
            self.push("baseline: without a baseline there is nothing to compare with".to_owned());
        }
        self.durations(config, profile);
        if !(1..=1000).contains(&profile.probe_rate) {
            self.push(format!("probe-rate: {} is not from 1 to 1000", profile.probe_rate));
        }
        for (key, waves) in [("waves", profile.waves), ("infra-waves", profile.infra_waves)] {
            if !(1..=MAX_ITERATIONS).contains(&waves) {
                self.push(format!("{key}: {waves} is not from 1 to {MAX_ITERATIONS}"));
            }
        }
    }

    /// Times that are counted from some moment: too long a one has no end.
    fn durations(&mut self, config: &Config, profile: &Profile) {
        let all = [
            ("baseline", profile.baseline),
            ("drain", profile.drain),
            ("settle", profile.settle.unwrap_or_default()),
            ("scenario-timeout", profile.scenario_timeout),
            ("teardown-timeout", profile.teardown_timeout),
            ("[profiler] interval", config.profiler.interval),
            ("[validity] send-lateness-p99", config.validity.send_lateness_p99),
            ("[validity] profiler-gap", config.validity.profiler_gap),
        ];
        for (key, _) in all.into_iter().filter(|(_, time)| *time > LONGEST_TIME) {
            self.push(format!(
                "{key}: it must be at most {}",
                humantime::format_duration(LONGEST_TIME)
            ));
        }
    }

    fn count(&mut self, flag: &str, text: Option<&str>, most: u32) -> Option<u32> {
        let text = text?;
        match text.trim().parse::<u32>() {
            Ok(number) if (1..=most).contains(&number) => Some(number),
            _ => {
                self.push(format!("{flag}: `{text}` is not a whole number from 1 to {most}"));
                None
            }
        }
    }
}
