//! From what was typed and configured to a plan, or to all the reasons against it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use url::Url;

use super::capacity::{self, Machine};
use super::{
    Budget, BudgetSubject, LoadPlan, LoadRequest, PINNED_SKYPILOT, PlannedScenario,
    ScenarioThresholds, ServerTarget, SkySelection, ValidityLimits,
};
use crate::class::ProcessClass;
use crate::config::{BudgetSetting, Config, Profile, budget_subjects, suggest};
use crate::run_dir::FORMAT_VERSION;
use crate::scenario::{ScenarioId, ScenarioKind};

/// More than this many users of one scenario is a slip of the finger: each may
/// cost the server a process.
const MOST_USERS: u32 = 10_000;

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
    /// Resolves a request. Pure: nothing is started, read or written.
    pub fn resolve(
        request: &LoadRequest,
        config: &Config,
        machine: Machine,
    ) -> Result<Self, UsageErrors> {
        let mut mistakes = Mistakes(Vec::new());
        let (profile_name, profile) = mistakes.profile(request, config);
        let users = mistakes.count("-n", request.requests_per_scenario.as_deref(), MOST_USERS);
        let users = match users {
            Some(typed) => Users { api: typed, cli: typed },
            None => mistakes.users_of(&profile),
        };
        mistakes.settings(config, &profile);
        let waves = mistakes.count("--waves", request.waves.as_deref(), 1_000);
        let server = mistakes.server(request);
        let sky = mistakes.sky(request, &server);
        let budgets = mistakes.budgets(request, config, &server);
        let mut scenarios = mistakes.scenarios(request, &profile, users, &server);
        let memory_floor = match config.safety.memory_floor {
            None | Some(BudgetSetting::Auto) => machine.default_floor(),
            Some(BudgetSetting::Size(size)) => size,
        };
        let here = !matches!(server, ServerTarget::Remote(_));
        let usable = machine.memory_available.as_u64().saturating_sub(memory_floor.as_u64());
        let usable = crate::units::ByteSize(usable);
        let capacity = capacity::fit(&mut scenarios, usable, here).unwrap_or_else(|misfit| {
            if !request.yes {
                mistakes.push(format!(
                    "this plan needs at least {} of memory, and {} can be used here ({} available, \
                     of which {} stay free)\n  hint: fewer scenarios (-r, --apis), a larger machine, \
                     or --yes to try it all the same",
                    misfit.least, usable, machine.memory_available, memory_floor
                ));
            }
            super::Capacity { wanted: misfit.least, planned: misfit.least, usable }
        });
        mistakes.none_left()?;
        Ok(Self {
            version: FORMAT_VERSION,
            profile: profile_name,
            sky,
            server,
            keep_server: request.keep_server,
            thresholds: thresholds(config, &scenarios),
            scenarios,
            waves: waves.unwrap_or(profile.waves),
            baseline: profile.baseline,
            drain: profile.drain,
            settle: profile.settle,
            scenario_timeout: profile.scenario_timeout,
            probe_rate: profile.probe_rate,
            profiler_interval: config.profiler.interval,
            budgets,
            memory_floor,
            validity: ValidityLimits {
                send_lateness_p99: config.validity.send_lateness_p99,
                profiler_gap: config.validity.profiler_gap,
            },
            capacity,
            conductor: None,
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
}

impl Users {
    fn plan(self, id: ScenarioId) -> PlannedScenario {
        let users = match id.kind() {
            ScenarioKind::Api => self.api,
            ScenarioKind::Cli => self.cli,
            ScenarioKind::Probe => 1,
        };
        PlannedScenario { id, users, at_once: users }
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
        let name = request.profile.as_deref().unwrap_or("default");
        let profile = config.profiles.get(name).cloned();
        if profile.is_none() && (request.profile.is_some() || !config.profiles.is_empty()) {
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
        for users in [api, cli] {
            if !(1..=MOST_USERS).contains(&users) {
                self.push(format!(
                    "requests-per-scenario: {users} is not a number from 1 to {MOST_USERS}"
                ));
            }
        }
        Users { api, cli }
    }

    /// Values of the file that are of the right type and yet make no sense.
    fn settings(&mut self, config: &Config, profile: &Profile) {
        if config.profiler.interval < Duration::from_millis(1) {
            self.push("[profiler] interval: it must be at least 1ms".to_owned());
        }
        if profile.baseline.is_zero() {
            self.push("baseline: without a baseline there is nothing to compare with".to_owned());
        }
        if !(1..=1000).contains(&profile.probe_rate) {
            self.push(format!("probe-rate: {} is not from 1 to 1000", profile.probe_rate));
        }
        if profile.waves == 0 {
            self.push("waves: each user takes at least one turn".to_owned());
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

    fn server(&mut self, request: &LoadRequest) -> ServerTarget {
        let deploy = request.deploy;
        let target = match request.server.as_deref() {
            None | Some("isolated") => return ServerTarget::Isolated { deploy },
            Some("system") => ServerTarget::System,
            Some(text) => match Url::parse(text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                    ServerTarget::Remote(url)
                }
                _ => {
                    self.push(format!(
                        "--server: `{text}` is none of isolated, system and an http(s) URL"
                    ));
                    return ServerTarget::Isolated { deploy };
                }
            },
        };
        if deploy {
            self.push(
                "--deploy: only an isolated server is started in a mode of our choice; leave out \
                 --server or --deploy"
                    .to_owned(),
            );
        }
        if request.keep_server {
            self.push(
                "--keep-server: only an isolated server is removed at the end, so only that can be \
                 kept; leave out --server or --keep-server"
                    .to_owned(),
            );
        }
        target
    }

    fn sky(&mut self, request: &LoadRequest, server: &ServerTarget) -> SkySelection {
        let pinned = || SkySelection::Version(PINNED_SKYPILOT.to_owned());
        let text = match (request.sky.as_deref(), server) {
            (Some(text), _) => text,
            // The user's own server belongs to the user's own `sky`.
            (None, ServerTarget::System) => return SkySelection::Executable(PathBuf::from("sky")),
            (None, _) => return pinned(),
        };
        let looks_like_version = text.starts_with(|c: char| c.is_ascii_digit())
            && !text.contains('/')
            && text.contains('.');
        match text {
            "nightly" => SkySelection::Nightly,
            _ if looks_like_version => SkySelection::Version(text.to_owned()),
            _ if text.contains('/') => SkySelection::Executable(PathBuf::from(text)),
            _ => {
                self.push(format!(
                    "--sky: `{text}` is none of a version (such as {PINNED_SKYPILOT}), nightly and \
                     the path of a sky program (with a `/` in it)"
                ));
                pinned()
            }
        }
    }

    fn budgets(
        &mut self,
        request: &LoadRequest,
        config: &Config,
        server: &ServerTarget,
    ) -> Vec<Budget> {
        if let ServerTarget::Remote(_) = server {
            // Its processes are out of sight, so no limit on them can be checked;
            // one that was asked for in so many words must not be passed over.
            for text in &request.budgets {
                self.push(format!(
                    "--budget {text}: the memory of a remote server cannot be measured from here"
                ));
            }
            return Vec::new();
        }
        let mut budgets = std::collections::BTreeMap::new();
        for (name, setting) in &config.budgets {
            match self.budget("[budgets]", name, *setting) {
                Some(budget) => _ = budgets.insert(budget.subject, budget),
                None => continue,
            }
        }
        for text in &request.budgets {
            let Some((name, value)) = text.split_once('=') else {
                self.push(format!("--budget: `{text}` is not CLASS=SIZE"));
                continue;
            };
            let setting = match value.parse() {
                Ok(setting) => setting,
                Err(error) => {
                    self.push(format!("--budget {name}: {error}"));
                    // The subject may be wrong as well, and both are to be said.
                    BudgetSetting::Size(crate::units::ByteSize::gib(1))
                }
            };
            if let Some(budget) = self.budget("--budget", name, setting) {
                budgets.insert(budget.subject, budget);
            }
        }
        budgets.into_values().collect()
    }

    fn budget(&mut self, place: &str, name: &str, setting: BudgetSetting) -> Option<Budget> {
        let Ok(subject) = name.parse::<BudgetSubject>() else {
            let known = budget_subjects();
            self.push(format!(
                "{place}: no budget is called `{name}`; {}",
                suggest(name, known.iter().copied())
            ));
            return None;
        };
        let limit = match setting {
            BudgetSetting::Size(size) => Some(size),
            BudgetSetting::Auto => {
                let has_constant = matches!(
                    subject,
                    BudgetSubject::Class(
                        ProcessClass::ShortExecutor
                            | ProcessClass::LongExecutor
                            | ProcessClass::Server
                            | ProcessClass::ServerWorker
                    )
                );
                if !has_constant {
                    self.push(format!(
                        "{place}: SkyPilot has no constant for `{name}`, so it needs a size instead \
                         of `auto`"
                    ));
                    return None;
                }
                None
            }
        };
        Some(Budget { subject, limit })
    }

    fn scenarios(
        &mut self,
        request: &LoadRequest,
        profile: &Profile,
        users: Users,
        server: &ServerTarget,
    ) -> Vec<PlannedScenario> {
        let named = !request.requests.is_empty() || !request.apis.is_empty();
        let (cli, api) = if named {
            // As in the original: naming one kind leaves the other out.
            (request.requests.join(" "), request.apis.join(" "))
        } else {
            (profile.requests.clone(), profile.apis.clone())
        };
        let mut chosen = self.select("--apis", ScenarioKind::Api, &api);
        chosen.extend(self.select("-r", ScenarioKind::Cli, &cli));
        if chosen.is_empty() && self.0.is_empty() {
            self.push("no scenario is left to run; name one with -r or --apis".to_owned());
        }
        if let ServerTarget::Remote(url) = server
            && !url.username().is_empty()
            && chosen.iter().any(|id| id.kind() == ScenarioKind::Cli)
        {
            // The address would be visible to everybody in the process list.
            self.push("-r: CLI scenarios cannot be given a URL with a password in it".to_owned());
        }
        let mut planned: Vec<PlannedScenario> =
            chosen.into_iter().map(|id| users.plan(id)).collect();
        planned.push(users.plan(ScenarioId::ProbeHealth));
        planned
    }

    /// The scenarios of one kind that a list names, without repetition and in
    /// the table's order.
    fn select(&mut self, flag: &str, kind: ScenarioKind, list: &str) -> Vec<ScenarioId> {
        let mut chosen = Vec::new();
        for word in list.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "all" => chosen.extend(ScenarioId::of_kind(kind)),
                "none" => {}
                _ => match ScenarioId::of_kind(kind).find(|id| id.name() == word) {
                    Some(id) => chosen.push(id),
                    None => {
                        let known = || ScenarioId::of_kind(kind).map(ScenarioId::name);
                        self.push(format!(
                            "{flag}: no {} scenario is called `{word}`; choose among {}, all",
                            kind.name(),
                            known().collect::<Vec<_>>().join(", ")
                        ));
                    }
                },
            }
        }
        ScenarioId::of_kind(kind).filter(|id| chosen.contains(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::units::ByteSize;

    use super::*;

    const MACHINE: Machine =
        Machine { memory_total: ByteSize::gib(24), memory_available: ByteSize::gib(22) };

    fn config() -> Config {
        Config::parse(include_str!("../../skyload.toml"), "skyload.toml").unwrap()
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn without_flags_the_default_profile_runs_everything() {
        let plan = LoadPlan::resolve(&LoadRequest::default(), &config(), MACHINE).unwrap();
        assert_eq!(plan.scenarios.len(), ScenarioId::ALL.len());
        let profile = &config().profiles["default"];
        let of_api = |s: &&PlannedScenario| s.id.kind() == ScenarioKind::Api;
        let mut api = plan.scenarios.iter().filter(of_api);
        assert!(api.all(|scenario| scenario.users == profile.requests_per_scenario));
    }

    #[test]
    fn naming_api_scenarios_leaves_the_cli_out_and_keeps_the_bystander() {
        let request = LoadRequest {
            apis: words(&["status,validate", "status"]),
            requests_per_scenario: Some("50".to_owned()),
            ..LoadRequest::default()
        };
        let plan = LoadPlan::resolve(&request, &config(), MACHINE).unwrap();
        let ids: Vec<_> = plan.scenarios.iter().map(|s| s.id).collect();
        assert_eq!(ids, [ScenarioId::ApiStatus, ScenarioId::ApiValidate, ScenarioId::ProbeHealth]);
        assert_eq!(plan.scenarios[0].users, 50);
    }

    #[test]
    fn all_mistakes_are_reported_together() {
        let request = LoadRequest {
            requests_per_scenario: Some("abc".to_owned()),
            apis: words(&["nosuch"]),
            requests: words(&["launchh"]),
            budgets: words(&["short=1XB", "server"]),
            sky: Some("latest".to_owned()),
            server: Some("ftp://x".to_owned()),
            profile: Some("smok".to_owned()),
            waves: Some("0".to_owned()),
            ..LoadRequest::default()
        };
        let UsageErrors(mistakes) = LoadPlan::resolve(&request, &config(), MACHINE).unwrap_err();
        assert_eq!(mistakes.len(), 10, "{mistakes:#?}");
        assert!(mistakes.iter().any(|m| m.contains("did you mean `smoke`")), "{mistakes:#?}");
        assert!(mistakes.iter().any(|m| m.contains("cli_status, validate")), "{mistakes:#?}");
    }

    #[test]
    fn zero_requests_are_refused() {
        let request =
            LoadRequest { requests_per_scenario: Some("0".to_owned()), ..LoadRequest::default() };
        assert!(LoadPlan::resolve(&request, &config(), MACHINE).is_err());
    }

    #[test]
    fn a_flag_overrides_the_budget_of_the_file() {
        let request =
            LoadRequest { budgets: words(&["short-executor=100MiB"]), ..LoadRequest::default() };
        let plan = LoadPlan::resolve(&request, &config(), MACHINE).unwrap();
        let short = BudgetSubject::Class(ProcessClass::ShortExecutor);
        let budget = plan.budgets.iter().find(|budget| budget.subject == short).unwrap();
        assert_eq!(budget.limit, Some(ByteSize::mib(100)));
        assert_eq!(plan.budgets.len(), 4);
    }

    #[test]
    fn a_budget_for_a_server_out_of_sight_is_refused() {
        let request = LoadRequest {
            server: Some("http://127.0.0.1:1".to_owned()),
            budgets: words(&["server=1GiB"]),
            ..LoadRequest::default()
        };
        let error = LoadPlan::resolve(&request, &config(), MACHINE).unwrap_err();
        assert!(error.to_string().contains("cannot be measured"), "{error}");
    }

    #[test]
    fn auto_is_for_classes_that_skypilot_has_a_constant_for() {
        let request = LoadRequest { budgets: words(&["queue=auto"]), ..LoadRequest::default() };
        assert!(LoadPlan::resolve(&request, &config(), MACHINE).is_err());
    }
}
