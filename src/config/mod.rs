//! `skyload.toml`: plans, budgets, thresholds and limits.
//!
//! Values are kept as written; [`crate::plan`] combines them with flags. Errors of a file are
//! reported together.

mod assignment_setting;
mod budget_setting;
mod compare_setting;
mod keys;
mod parse;
mod shape_setting;
mod threshold_setting;
mod timing_setting;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub(crate) use crate::suggest::suggest;
pub use assignment_setting::InfraAssignment;
pub use budget_setting::{BudgetSetting, SizeSetting};
pub use compare_setting::{CompareSettings, ToleranceSettings};
pub(crate) use keys::budget_names;
pub use shape_setting::ShapeSettings;
pub use threshold_setting::OwnedThresholds;
pub use timing_setting::{FitSetting, RampSetting};

use crate::machine_size::{self, MachineSize};
use crate::record::profile::LevelChoice;
use crate::scenario::Mix;
use crate::shape::{Delays, Pause, Rate, StageList};
use crate::units;

/// Content of `skyload.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Config {
    /// Settings of plans by name.
    pub plans: BTreeMap<String, PlanSettings>,
    /// Budgets by metric: a process class, or a metric of the whole server.
    pub budgets: BTreeMap<String, BudgetSetting>,
    /// Thresholds by scenario.
    pub thresholds: BTreeMap<String, OwnedThresholds>,
    /// Protection of the machine.
    pub safety: Safety,
    /// Limits beyond which measurements are not valid.
    pub validity: Validity,
    /// Settings of the profiler.
    pub profiler: ProfilerSettings,
    /// Settings of reading the server's own metrics.
    pub server_metrics: ServerMetricsSettings,
    /// Settings of comparisons.
    pub compare: CompareSettings,
}

/// Settings of a plan: `[plans.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct PlanSettings {
    /// Size of the machine that an isolated server is given, as `--size`.
    #[serde(deserialize_with = "machine_size::from_text")]
    pub size: Option<MachineSize>,
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
    /// Operations of one more scenario, `api:mix`, by the names of API scenarios.
    pub mix: Option<Mix>,
    /// Connections to hold: names with a number each, as in `logs=10`, or `none`.
    pub hold: String,
    /// Infras to launch on, as `-c`; by default loopback for an isolated server, otherwise none.
    pub infra: Option<String>,
    /// Rule by which scenarios are assigned to several infras. Not used for scenarios that flags
    /// name, which run on all infras.
    pub infra_assignment: InfraAssignment,
    /// Whether each user of API scenarios is a SkyPilot user of its own.
    pub distinct_users: bool,
    /// Iterations of each user. The first is cold: executors start.
    pub iterations: u32,
    /// Iterations of each user of scenarios that need an infra.
    pub infra_iterations: u32,
    /// Duration of a closed loop or of an arrival rate; without one, the load is a burst.
    #[serde(rename = "for", with = "units::duration::option")]
    pub time: Option<Duration>,
    /// Time between two iterations of a user of a closed loop.
    pub pause: Option<Pause>,
    /// Arrival rate of each scenario.
    pub rate: Option<Rate>,
    /// Maximum number of iterations of an arrival rate at a time.
    pub max_in_flight: Option<u32>,
    /// Stages of each scenario, of users or of a rate.
    pub stages: Option<StageList>,
    /// Time at the beginning of a load in stages whose iterations are left out of thresholds.
    #[serde(with = "units::duration::option")]
    pub warm_up: Option<Duration>,
    /// Time that running iterations get after the end of the load's time.
    #[serde(with = "units::duration::option")]
    pub graceful_stop: Option<Duration>,
    /// Time from a launch of `api:launch_cancel` to its cancellation.
    pub cancel_after: Option<Delays>,
    /// Distance between two launches that are not cancelled.
    pub probe_every: Option<u32>,
    /// Time after which a request of `api:launch_cancel` is a suspected wedge.
    #[serde(with = "units::duration::option")]
    pub stuck_after: Option<Duration>,
    /// Seed of everything that is drawn at random.
    pub seed: u64,
    /// Program that the users of `cli:script` run; relative to the file's directory.
    pub script: Option<PathBuf>,
    /// Maximum time of a run of the program, by default an hour.
    #[serde(with = "units::duration::option")]
    pub script_timeout: Option<Duration>,
    /// Sizes and shapes of single scenarios, by their IDs.
    pub scenarios: BTreeMap<String, ShapeSettings>,
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
    /// Thresholds of this plan by scenario, each in the place of the file's thresholds for the same
    /// metric.
    pub thresholds: BTreeMap<String, OwnedThresholds>,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            size: None,
            users: 5,
            cli_users: None,
            infra_users: 1,
            cli: "all".to_owned(),
            api: "all".to_owned(),
            mix: None,
            hold: "none".to_owned(),
            infra: None,
            infra_assignment: InfraAssignment::All,
            distinct_users: false,
            iterations: 2,
            infra_iterations: 1,
            time: None,
            pause: None,
            rate: None,
            max_in_flight: None,
            stages: None,
            warm_up: None,
            graceful_stop: None,
            cancel_after: None,
            probe_every: None,
            stuck_after: None,
            seed: 1,
            script: None,
            script_timeout: None,
            scenarios: BTreeMap::new(),
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
            thresholds: BTreeMap::new(),
        }
    }
}

impl PlanSettings {
    /// Shape of the plan's load. Its users and iterations depend on the kind of scenario.
    pub fn shape(&self) -> ShapeSettings {
        ShapeSettings {
            users: None,
            iterations: None,
            time: self.time,
            pause: self.pause,
            rate: self.rate,
            max_in_flight: self.max_in_flight,
            stages: self.stages.clone(),
            warm_up: self.warm_up,
            graceful_stop: self.graceful_stop,
            cancel_after: self.cancel_after.clone(),
            probe_every: self.probe_every,
            stuck_after: self.stuck_after,
        }
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
        let mut config = Self::parse(&text, &path.display().to_string())?;
        // Absolute, since scripts run in folders of their own.
        let absolute = std::path::absolute(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let folder = absolute.parent().unwrap_or_else(|| Path::new("/"));
        for script in config.plans.values_mut().filter_map(|plan| plan.script.as_mut()) {
            *script = folder.join(&script);
        }
        Ok(config)
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
    fn a_script_is_relative_to_the_folder_of_the_file() {
        let folder = tempfile::tempdir_in(".").unwrap();
        let name = folder.path().file_name().unwrap();
        let file = Path::new(name).join("load.toml");
        std::fs::write(&file, "[plans.ci]\nscript = \"basic.sh\"\n").unwrap();
        let script = Config::read(&file).unwrap().plans["ci"].script.clone();
        assert_eq!(script, Some(std::env::current_dir().unwrap().join(name).join("basic.sh")));
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
