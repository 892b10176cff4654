//! `skyload.toml`: plans, budgets, thresholds and limits.
//!
//! Values are kept as written; [`crate::plan`] combines them with flags. Errors of a file are
//! reported together.

mod assignment_setting;
mod budget_setting;
mod keys;
mod parse;
mod timing_setting;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub use assignment_setting::InfraAssignment;
pub use budget_setting::{BudgetSetting, SizeSetting};
pub(crate) use keys::{budget_names, suggest};
pub use timing_setting::{FitSetting, RampSetting};

use crate::metric::{Amount, Limit, Metric, ScenarioMetric};
use crate::record::profile::LevelChoice;
use crate::scenario::ScenarioId;
use crate::units::{self, Percent};

/// Content of `skyload.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    /// Settings of plans by name.
    pub plans: BTreeMap<String, PlanSettings>,
    /// Budgets by metric: a process class, or a metric of the whole server.
    pub budgets: BTreeMap<String, BudgetSetting>,
    /// Thresholds by scenario.
    pub thresholds: BTreeMap<String, Thresholds>,
    /// Protection of the machine.
    pub safety: Safety,
    /// Limits beyond which measurements are not valid.
    pub validity: Validity,
    /// Settings of the profiler.
    pub profiler: ProfilerSettings,
    /// Settings of reading the server's own metrics.
    pub server_metrics: ServerMetricsSettings,
}

/// Settings of a plan: `[plans.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct PlanSettings {
    /// Users of each scenario.
    pub users: u32,
    /// Users of each CLI scenario, by default `users`. Each is a `sky` process that takes 160 MB
    /// and 1.6 CPU-seconds on the client's side alone.
    pub cli_users: Option<u32>,
    /// Users, per infra, of each scenario that needs an infra. A launch takes 40 CPU-seconds.
    pub infra_users: u32,
    /// CLI scenarios: names, `all` or `none`.
    pub cli: String,
    /// API scenarios: names, `all` or `none`.
    pub api: String,
    /// Infras to launch on, as `-c`; by default loopback for an isolated server, otherwise none.
    pub infra: Option<String>,
    /// Rule by which scenarios are assigned to several infras. Not used for scenarios that flags
    /// name, which run on all infras.
    pub infra_assignment: InfraAssignment,
    /// Iterations of each user. The first is cold: executors start.
    pub iterations: u32,
    /// Iterations of each user of scenarios that need an infra.
    pub infra_iterations: u32,
    /// Time over which the starts of users are spread. Not used with `-n`.
    pub ramp: RampSetting,
    /// Time limit that the load is reduced to. Not used if flags set users or iterations.
    pub fit: FitSetting,
    /// Duration of the baseline.
    #[serde(with = "units::duration")]
    pub baseline: Duration,
    /// Duration of the cooldown.
    #[serde(with = "units::duration")]
    pub cooldown: Duration,
    /// Maximum time to wait until the server is idle, before the baseline and in the cooldown;
    /// by default chosen by the speed of the machine.
    #[serde(with = "units::duration::option")]
    pub settle_timeout: Option<Duration>,
    /// Time after which an unfinished scenario is stopped, not counting the ramp.
    #[serde(with = "units::duration")]
    pub scenario_timeout: Duration,
    /// Maximum time of the teardown.
    #[serde(with = "units::duration")]
    pub teardown_timeout: Duration,
    /// Health requests per second of the health probe.
    pub probe_rate: u32,
    /// Budgets of this plan, each in the place of the file's budget for the same metric.
    pub budgets: BTreeMap<String, BudgetSetting>,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            users: 5,
            cli_users: None,
            infra_users: 1,
            cli: "all".to_owned(),
            api: "all".to_owned(),
            infra: None,
            infra_assignment: InfraAssignment::All,
            iterations: 2,
            infra_iterations: 1,
            ramp: RampSetting::BURST,
            fit: FitSetting::Off,
            baseline: Duration::from_secs(5),
            cooldown: Duration::from_secs(5),
            settle_timeout: None,
            scenario_timeout: Duration::from_secs(15 * 60),
            // Tearing down ten clusters concurrently took up to 150 s on 2 cores.
            teardown_timeout: Duration::from_secs(8 * 60),
            probe_rate: 2,
            budgets: BTreeMap::new(),
        }
    }
}

/// Thresholds of a scenario: limits on latencies and the error rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Thresholds {
    /// Median latency of iterations, from scheduled start to last response.
    #[serde(with = "units::duration::option")]
    pub p50: Option<Duration>,
    /// 90th percentile of the latency.
    #[serde(with = "units::duration::option")]
    pub p90: Option<Duration>,
    /// 95th percentile of the latency.
    #[serde(with = "units::duration::option")]
    pub p95: Option<Duration>,
    /// 99th percentile of the latency.
    #[serde(with = "units::duration::option")]
    pub p99: Option<Duration>,
    /// Longest latency.
    #[serde(with = "units::duration::option")]
    pub max: Option<Duration>,
    /// Share of iterations that may fail; zero by default.
    pub error_rate: Option<Percent>,
}

impl Thresholds {
    /// Thresholds that are set, as limits on metrics of `scenario`.
    pub fn limits(self, scenario: ScenarioId) -> impl Iterator<Item = Limit> {
        let latencies = [
            (ScenarioMetric::P50, self.p50),
            (ScenarioMetric::P90, self.p90),
            (ScenarioMetric::P95, self.p95),
            (ScenarioMetric::P99, self.p99),
            (ScenarioMetric::Max, self.max),
        ];
        let latencies =
            latencies.map(|(statistic, limit)| (statistic, limit.map(Amount::Duration)));
        let error_rate = (ScenarioMetric::ErrorRate, self.error_rate.map(Amount::Share));
        latencies.into_iter().chain([error_rate]).filter_map(move |(statistic, limit)| {
            let metric = Metric::Scenario(scenario, statistic);
            limit.map(|limit| Limit { metric, at_most: Some(limit) })
        })
    }
}

/// Protection of the machine: `[safety]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Safety {
    /// Available memory below which the load is stopped; `auto`, the default, is the larger of
    /// 1 GiB and 5 % of the machine's memory.
    pub memory_floor: Option<SizeSetting>,
}

/// Limits beyond which measurements are not valid: `[validity]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Validity {
    /// Delay of requests (99th percentile) beyond which the load generator is overloaded.
    #[serde(with = "units::duration")]
    pub send_lateness_p99: Duration,
    /// Time without samples beyond which it counts as a sampling gap.
    #[serde(with = "units::duration")]
    pub profiler_gap: Duration,
}

impl Default for Validity {
    fn default() -> Self {
        Self { send_lateness_p99: Duration::from_millis(500), profiler_gap: Duration::from_secs(2) }
    }
}

/// Settings of the profiler: `[profiler]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ProfilerSettings {
    /// Sampling interval.
    #[serde(with = "units::duration")]
    pub interval: Duration,
    /// Method of reading peaks.
    pub peaks: LevelChoice,
    /// Whether peaks are recorded per phase and per scenario group.
    pub phase_peaks: bool,
}

impl Default for ProfilerSettings {
    fn default() -> Self {
        Self { interval: Duration::from_millis(50), peaks: LevelChoice::Best, phase_peaks: false }
    }
}

/// Settings of reading the server's own metrics: `[server-metrics]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ServerMetricsSettings {
    /// Time between two scrapes.
    #[serde(with = "units::duration")]
    pub interval: Duration,
}

impl Default for ServerMetricsSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(5) }
    }
}

/// Error of reading `skyload.toml`.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Unreadable file.
    #[error("cannot read `{path}`")]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// Unknown keys and invalid values, one message each.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
}

impl Config {
    /// Reads and parses the file at `path`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses the text of the file called `name`.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        parse::parse(text, name).map_err(ConfigError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_bundled_file_is_valid() {
        let text = include_str!("../../skyload.toml");
        let config = Config::parse(text, "skyload.toml").unwrap();
        assert_eq!(config.plans["smoke"].users, 1);
        assert_eq!(config.budgets["server"], BudgetSetting::Auto);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_valid_one() {
        let text = "[plans.ci]\niterations = 1\nuser = 2\n";
        let error = Config::parse(text, "skyload.toml").unwrap_err().to_string();
        assert_eq!(error, "skyload.toml:3: unknown key `plans.ci.user`; did you mean `users`?");
    }

    #[test]
    fn all_unknown_keys_are_reported_together() {
        let text =
            "[budget]\n[safety]\nfloor = \"1GiB\"\n[thresholds.\"api:stats\"]\np95 = \"1s\"\n";
        let ConfigError::Invalid(errors) = Config::parse(text, "f").unwrap_err() else {
            panic!("unknown keys make a file invalid");
        };
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(errors[2].contains("did you mean `api:status`"), "{errors:?}");
    }

    #[test]
    fn an_unknown_budget_of_a_plan_is_named_with_its_line() {
        let text = "[plans.ci]\nusers = 1\n[plans.ci.budgets]\nserver = \"1GiB\"\nservr = 1\n";
        let error = Config::parse(text, "f").unwrap_err().to_string();
        assert_eq!(error, "f:5: unknown key `plans.ci.budgets.servr`; did you mean `server`?");
    }

    #[test]
    fn an_invalid_value_hides_no_other_error() {
        let text = "[budgets]\nserver = \"1XB\"\nserverr = 1\n[plans.ci]\niterations = \"two\"\n\
                    coldown = \"3s\"\n[safety]\nmemory-floor = { auto = true }\n";
        let error = Config::parse(text, "f").unwrap_err().to_string();
        let messages: Vec<&str> = error.lines().collect();
        let expected = [
            "f:2: expected a size",
            "f:3: unknown key `budgets.serverr`; did you mean `server`?",
            "f:5: invalid type: string \"two\"",
            "f:6: unknown key `plans.ci.coldown`; did you mean `cooldown`?",
            "f:8: invalid type: map",
        ];
        let is_as_expected = |(message, start): (&&str, &str)| message.starts_with(start);
        assert!(messages.iter().zip(expected).all(is_as_expected), "{messages:#?}");
        assert_eq!(messages.len(), expected.len(), "{messages:#?}");
    }

    #[rstest]
    #[case::no_size("[budgets]\nserver = \"1XB\"\n", "got `1XB`")]
    #[case::no_count("[budgets]\nthreads = \"many\"\n", "or a count")]
    #[case::negative_count("[budgets]\nthreads = -1\n", "invalid value: integer `-1`")]
    #[case::a_fraction("[budgets]\nthreads = 1.5\n", "expected a size")]
    #[case::no_floor("[safety]\nmemory-floor = \"5\"\n", "got `5`")]
    fn an_invalid_value_is_named_with_its_line(#[case] text: &str, #[case] message: &str) {
        let error = Config::parse(text, "skyload.toml").unwrap_err().to_string();
        assert!(error.starts_with("skyload.toml:2: ") && error.contains(message), "{error}");
    }
}
