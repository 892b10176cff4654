//! `skyload.toml`: plans, budgets, thresholds and limits, as written.
//!
//! Values stay what they are in the file; what they mean together with flags is
//! decided in [`crate::plan`]. A file with mistakes is refused with all of them.

mod budget_setting;
mod keys;
mod parse;
mod timing_setting;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub use budget_setting::{BudgetSetting, SizeSetting};
pub(crate) use keys::{budget_names, suggest};
pub use timing_setting::{FitSetting, RampSetting};

use crate::metric::{Amount, Limit, Metric, ScenarioMetric};
use crate::record::profile::LevelChoice;
use crate::scenario::ScenarioId;
use crate::units::{self, Percent};

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    /// Named plans.
    pub plans: BTreeMap<String, PlanSettings>,
    /// Limits by subject: a process class, or something of the whole server.
    pub budgets: BTreeMap<String, BudgetSetting>,
    /// Latency and error limits by scenario.
    pub thresholds: BTreeMap<String, Thresholds>,
    /// What protects the machine.
    pub safety: Safety,
    /// When measurements valid.
    pub validity: Validity,
    /// How the profiler samples.
    pub profiler: ProfilerSettings,
}

/// A named plan.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct PlanSettings {
    /// Concurrent users of each scenario.
    pub users: u32,
    /// Concurrent users of each CLI scenario, if it isn't the same: each is a process
    /// of 160 MB and 1.6 CPU-s on the client's side alone.
    pub cli_users: Option<u32>,
    /// Concurrent users of each scenario that launches something, or asks about what
    /// was launched, on each infrastructure: a launch is 40 CPU-s.
    pub infra_users: u32,
    /// CLI scenarios: names, `all` or `none`.
    pub cli: String,
    /// API scenarios: names, `all` or `none`.
    pub api: String,
    /// What is launched on, as `-c`; without it, loopback for a server of our own.
    pub infra: Option<String>,
    /// Iterations of each user. The first meets cold executors.
    pub iterations: u32,
    /// The same for scenarios that need an infrastructure.
    pub infra_iterations: u32,
    /// Time over which the starts of users are spread, unless `-n` asks for a number of
    /// them.
    pub ramp: RampSetting,
    /// Time that the load is to take at the most, unless its size is asked for by flags.
    pub fit: FitSetting,
    /// How long the idle server is watched before the load.
    #[serde(with = "units::duration")]
    pub baseline: Duration,
    /// How long the idle server is watched after the load.
    #[serde(with = "units::duration")]
    pub cooldown: Duration,
    /// How long to wait at the most, before the baseline and before the cooldown,
    /// until the server is idle; without it, as long as this machine's speed asks for.
    #[serde(with = "units::duration::option")]
    pub settle_timeout: Option<Duration>,
    /// When a scenario that has not ended is given up.
    #[serde(with = "units::duration")]
    pub scenario_timeout: Duration,
    /// How long to wait at the most until everything that was launched is gone.
    #[serde(with = "units::duration")]
    pub teardown_timeout: Duration,
    /// Health requests per second of the health probe.
    pub probe_rate: u32,
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
            iterations: 2,
            infra_iterations: 1,
            ramp: RampSetting::BURST,
            fit: FitSetting::Off,
            baseline: Duration::from_secs(5),
            cooldown: Duration::from_secs(5),
            settle_timeout: None,
            scenario_timeout: Duration::from_secs(15 * 60),
            // Ten clusters at once took up to 150 s on 2 cores.
            teardown_timeout: Duration::from_secs(8 * 60),
            probe_rate: 2,
        }
    }
}

/// Limits on what users of one scenario see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Thresholds {
    /// Median of the time from the scheduled start to the last answer.
    #[serde(with = "units::duration::option")]
    pub p50: Option<Duration>,
    /// Its 90th percentile.
    #[serde(with = "units::duration::option")]
    pub p90: Option<Duration>,
    /// Its 95th percentile.
    #[serde(with = "units::duration::option")]
    pub p95: Option<Duration>,
    /// Its 99th percentile.
    #[serde(with = "units::duration::option")]
    pub p99: Option<Duration>,
    /// Its longest.
    #[serde(with = "units::duration::option")]
    pub max: Option<Duration>,
    /// Share of iterations that may fail; without it, none may.
    pub error_rate: Option<Percent>,
}

impl Thresholds {
    /// The limits that are set.
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

/// What protects the machine.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Safety {
    /// Available memory below which the load is stopped; `auto` is the larger of
    /// 1 GiB and 5 % of the machine's memory.
    pub memory_floor: Option<SizeSetting>,
}

/// When measurements valid.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Validity {
    /// Requests sent later than this (99th percentile) mean a starved client.
    #[serde(with = "units::duration")]
    pub send_lateness_p99: Duration,
    /// A longer silence of the profiler is a gap.
    #[serde(with = "units::duration")]
    pub profiler_gap: Duration,
}

impl Default for Validity {
    fn default() -> Self {
        Self { send_lateness_p99: Duration::from_millis(500), profiler_gap: Duration::from_secs(2) }
    }
}

/// How the profiler samples.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ProfilerSettings {
    /// Distance between two ticks.
    #[serde(with = "units::duration")]
    pub interval: Duration,
    /// How peaks are read.
    pub peaks: LevelChoice,
    /// Each phase, and each group of scenarios, has peaks of its own.
    pub phase_peaks: bool,
}

impl Default for ProfilerSettings {
    fn default() -> Self {
        Self { interval: Duration::from_millis(50), peaks: LevelChoice::Best, phase_peaks: false }
    }
}

/// Why `skyload.toml` can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It can't be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It has keys or values that mean nothing; one message each.
    #[error("{}", .0.join("\n"))]
    Invalid(Vec<String>),
}

impl Config {
    /// Reads the file.
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
    fn the_file_that_comes_with_skyload_is_valid() {
        let text = include_str!("../../skyload.toml");
        let config = Config::parse(text, "skyload.toml").unwrap();
        assert_eq!(config.plans["smoke"].users, 1);
        assert_eq!(config.budgets["server"], BudgetSetting::Auto);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_valid_one() {
        let text = "[plans.ci]\nwaves = 1\nuser = 2\n";
        let error = Config::parse(text, "skyload.toml").unwrap_err().to_string();
        assert_eq!(
            error,
            "skyload.toml:3: unknown key `plans.ci.user`; did you mean \
             `users`?"
        );
    }

    #[test]
    fn all_mistaken_keys_are_reported_at_once() {
        let text =
            "[budget]\n[safety]\nfloor = \"1GiB\"\n[thresholds.\"api:stats\"]\np95 = \"1s\"\n";
        let ConfigError::Invalid(mistakes) = Config::parse(text, "f").unwrap_err() else {
            panic!("the mistakes are in the keys");
        };
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        assert!(mistakes[2].contains("did you mean `api:status`"), "{mistakes:?}");
    }

    #[test]
    fn a_mistaken_value_hides_no_other_mistake() {
        let text = "[budgets]\nserver = \"1XB\"\nserverr = 1\n[plans.ci]\nwaves = \"two\"\n\
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
    #[case::less_than_nothing("[budgets]\nthreads = -1\n", "invalid value: integer `-1`")]
    #[case::a_fraction("[budgets]\nthreads = 1.5\n", "expected a size")]
    #[case::no_floor("[safety]\nmemory-floor = \"5\"\n", "got `5`")]
    fn a_value_that_is_no_limit_is_named_with_its_line(#[case] text: &str, #[case] words: &str) {
        let error = Config::parse(text, "skyload.toml").unwrap_err().to_string();
        assert!(error.starts_with("skyload.toml:2: ") && error.contains(words), "{error}");
    }
}
