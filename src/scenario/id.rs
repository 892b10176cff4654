//! Identifiers of scenarios, and their names in flags, files, tables and tests.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Kind of client with which a scenario reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScenarioKind {
    /// HTTP requests of SkyPilot's Python SDK, sent by skyload itself.
    Api,
    /// Real `sky` processes.
    Cli,
    /// Connections that follow a log throughout the load.
    Hold,
    /// Health probe: requests `/api/health` throughout the load.
    Probe,
}

impl ScenarioKind {
    /// Name of the kind: the first part of a scenario's full name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Cli => "cli",
            Self::Hold => "hold",
            Self::Probe => "probe",
        }
    }

    /// Whether scenarios of the kind accompany the load of all others, and end after it.
    pub const fn accompanies_load(self) -> bool {
        match self {
            Self::Api | Self::Cli => false,
            Self::Hold | Self::Probe => true,
        }
    }
}

/// Identifier of a scenario, which [`super::Scenario::of`] defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScenarioId {
    /// `sky.status()`.
    ApiStatus,
    /// Three requests of `sky status`: managed jobs, services, clusters.
    ApiCliStatus,
    /// `sky.validate()`.
    ApiValidate,
    /// `sky.api_status()`.
    ApiApiStatus,
    /// `sky.jobs.queue()`.
    ApiJobsQueue,
    /// `sky.status(refresh=FORCE)`, served by a long executor.
    ApiStatusRefresh,
    /// `sky.launch(dryrun=True)`, served by a long executor.
    ApiLaunchDryrun,
    /// `sky.launch()` of a new cluster, then `sky.tail_logs()` of its job.
    ApiLaunchAndLogs,
    /// `sky.tail_logs()`.
    ApiTailLogs,
    /// `sky.exec()`.
    ApiExec,
    /// `sky.queue()`.
    ApiClusterQueue,
    /// `sky.jobs.launch()`.
    ApiJobsLaunch,
    /// `sky.jobs.tail_logs()`.
    ApiJobsLogs,
    /// `sky.check()` of a cloud.
    ApiCheck,
    /// `sky.list_accelerators()` of a cloud.
    ApiShowGpus,
    /// `sky.optimize()`.
    ApiOptimize,
    /// `sky.storage_ls()`.
    ApiStorageLs,
    /// `sky.cost_report()`.
    ApiCostReport,
    /// `sky.status(cluster, refresh=FORCE)` of a cluster whose cloud is asked.
    ApiClusterRefresh,
    /// `sky.stop()`, then `sky.start()`, of a new cluster.
    ApiStartStop,
    /// `sky.autostop()` of a new cluster, until the cluster is stopped.
    ApiAutostop,
    /// Session of a user of the SDK: upload, launch, jobs, managed job, teardown.
    ApiSession,
    /// `sky.launch()` of a new cluster, cancelled by `sky.api_cancel()` unless it is a probe.
    ApiLaunchCancel,
    /// Operations of other API scenarios, drawn by their weights.
    ApiMix,
    /// `sky status`.
    CliStatus,
    /// `sky jobs queue`.
    CliJobsQueue,
    /// `sky api status`.
    CliApiStatus,
    /// `sky launch`.
    CliLaunch,
    /// `sky logs`.
    CliLogs,
    /// `sky jobs launch`.
    CliJobs,
    /// `sky serve status`.
    CliServe,
    /// `sky check` of a cloud.
    CliCheck,
    /// Session of a user of `sky`: launch, jobs, managed job, teardown.
    CliSession,
    /// Program of the user's.
    CliScript,
    /// `/logs` of a job that runs on, followed throughout the load.
    HoldLogs,
    /// `/jobs/logs` of a managed job that runs on, followed throughout the load.
    HoldJobsLogs,
    /// `/api/stream` of a request that runs on, followed throughout the load.
    HoldStream,
    /// `GET /api/health` at a fixed rate.
    ProbeHealth,
}

impl ScenarioId {
    /// Scenarios in the order of reports.
    pub const ALL: [Self; 38] = [
        Self::ApiStatus,
        Self::ApiCliStatus,
        Self::ApiValidate,
        Self::ApiApiStatus,
        Self::ApiJobsQueue,
        Self::ApiStatusRefresh,
        Self::ApiLaunchDryrun,
        Self::ApiLaunchAndLogs,
        Self::ApiTailLogs,
        Self::ApiExec,
        Self::ApiClusterQueue,
        Self::ApiJobsLaunch,
        Self::ApiJobsLogs,
        Self::ApiCheck,
        Self::ApiShowGpus,
        Self::ApiOptimize,
        Self::ApiStorageLs,
        Self::ApiCostReport,
        Self::ApiClusterRefresh,
        Self::ApiStartStop,
        Self::ApiAutostop,
        Self::ApiSession,
        Self::ApiLaunchCancel,
        Self::ApiMix,
        Self::CliStatus,
        Self::CliJobsQueue,
        Self::CliApiStatus,
        Self::CliLaunch,
        Self::CliLogs,
        Self::CliJobs,
        Self::CliServe,
        Self::CliCheck,
        Self::CliSession,
        Self::CliScript,
        Self::HoldLogs,
        Self::HoldJobsLogs,
        Self::HoldStream,
        Self::ProbeHealth,
    ];

    /// Kind of the scenario.
    pub const fn kind(self) -> ScenarioKind {
        match self {
            Self::ApiStatus
            | Self::ApiCliStatus
            | Self::ApiValidate
            | Self::ApiApiStatus
            | Self::ApiJobsQueue
            | Self::ApiStatusRefresh
            | Self::ApiLaunchDryrun
            | Self::ApiLaunchAndLogs
            | Self::ApiTailLogs
            | Self::ApiExec
            | Self::ApiClusterQueue
            | Self::ApiJobsLaunch
            | Self::ApiJobsLogs
            | Self::ApiCheck
            | Self::ApiShowGpus
            | Self::ApiOptimize
            | Self::ApiStorageLs
            | Self::ApiCostReport
            | Self::ApiClusterRefresh
            | Self::ApiStartStop
            | Self::ApiAutostop
            | Self::ApiSession
            | Self::ApiLaunchCancel
            | Self::ApiMix => ScenarioKind::Api,
            Self::CliStatus
            | Self::CliJobsQueue
            | Self::CliApiStatus
            | Self::CliLaunch
            | Self::CliLogs
            | Self::CliJobs
            | Self::CliServe
            | Self::CliCheck
            | Self::CliSession
            | Self::CliScript => ScenarioKind::Cli,
            Self::HoldLogs | Self::HoldJobsLogs | Self::HoldStream => ScenarioKind::Hold,
            Self::ProbeHealth => ScenarioKind::Probe,
        }
    }

    /// Name within the kind, as `-r`, `--api` and `--hold` take it: `status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiStatus | Self::CliStatus => "status",
            Self::ApiCliStatus => "cli_status",
            Self::ApiValidate => "validate",
            Self::ApiApiStatus | Self::CliApiStatus => "api_status",
            Self::ApiJobsQueue | Self::CliJobsQueue => "jobs_queue",
            Self::ApiStatusRefresh => "status_refresh",
            Self::ApiLaunchDryrun => "launch_dryrun",
            Self::ApiLaunchAndLogs => "launch_and_logs",
            Self::ApiTailLogs => "tail_logs",
            Self::ApiExec => "exec",
            Self::ApiClusterQueue => "cluster_queue",
            Self::ApiJobsLaunch => "jobs_launch",
            Self::ApiJobsLogs | Self::HoldJobsLogs => "jobs_logs",
            Self::ApiCheck | Self::CliCheck => "check",
            Self::ApiShowGpus => "show_gpus",
            Self::ApiOptimize => "optimize",
            Self::ApiStorageLs => "storage_ls",
            Self::ApiCostReport => "cost_report",
            Self::ApiClusterRefresh => "cluster_refresh",
            Self::ApiStartStop => "start_stop",
            Self::ApiAutostop => "autostop",
            Self::ApiSession | Self::CliSession => "session",
            Self::ApiLaunchCancel => "launch_cancel",
            Self::ApiMix => "mix",
            Self::CliLaunch => "launch",
            Self::CliLogs | Self::HoldLogs => "logs",
            Self::CliJobs => "jobs",
            Self::CliServe => "serve",
            Self::HoldStream => "stream",
            Self::CliScript => "script",
            Self::ProbeHealth => "health",
        }
    }

    /// Scenarios of one kind, in the order of [`Self::ALL`].
    pub fn of_kind(kind: ScenarioKind) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |id| id.kind() == kind)
    }

    /// Whether `all` in a list of scenarios includes the scenario. Sessions repeat the requests of
    /// other scenarios, cancelled launches may leave executors that hang, and connections are held
    /// only where they are asked for: these are run by their names.
    pub const fn is_in_all(self) -> bool {
        self.is_listed()
            && !matches!(self, Self::ApiSession | Self::ApiLaunchCancel | Self::CliSession)
            && !matches!(self.kind(), ScenarioKind::Hold)
    }

    /// Whether a list of scenarios can name the scenario. A mix is selected by its operations, a
    /// script by its file.
    pub const fn is_listed(self) -> bool {
        !matches!(self, Self::ApiMix | Self::CliScript)
    }

    /// Name for files: `api-cli_status`.
    pub fn file_stem(self) -> String {
        format!("{}-{}", self.kind().name(), self.name())
    }

    /// Scenario of a test case in `tests/load`, such as `api::every_request_..::case_01_status`:
    /// the module is the scenario's kind, and the scenario's name follows the ordinal.
    pub fn of_test(test_name: &str) -> Option<Self> {
        let (kind, rest) = test_name.split_once("::")?;
        let (_, case) = rest.rsplit_once("::case_")?;
        let (ordinal, name) = case.split_once('_')?;
        ordinal.chars().all(|c| c.is_ascii_digit()).then_some(())?;
        Self::ALL.into_iter().find(|id| id.kind().name() == kind && id.name() == name)
    }
}

impl fmt::Display for ScenarioId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}:{}", self.kind().name(), self.name()))
    }
}

/// Text that is not the full name of a scenario.
#[derive(Debug, thiserror::Error)]
#[error("unknown scenario `{0}`")]
pub struct UnknownScenario(String);

impl FromStr for ScenarioId {
    type Err = UnknownScenario;

    fn from_str(text: &str) -> Result<Self, UnknownScenario> {
        Self::ALL
            .into_iter()
            .find(|id| text.split_once(':') == Some((id.kind().name(), id.name())))
            .ok_or_else(|| UnknownScenario(text.to_owned()))
    }
}

impl Serialize for ScenarioId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScenarioId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for ScenarioId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ScenarioId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Full name of a scenario: kind and name within the kind, as in `api:status`.",
            "type": "string",
            "enum": Self::ALL.map(|id| id.to_string()).to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_full_name_parses_to_its_scenario() {
        for id in ScenarioId::ALL {
            assert_eq!(id.to_string().parse::<ScenarioId>().unwrap(), id);
        }
    }

    #[test]
    fn a_test_case_maps_to_the_scenario_of_its_module_and_name() {
        let of = ScenarioId::of_test;
        assert_eq!(of("api::succeeds::case_02_cli_status"), Some(ScenarioId::ApiCliStatus));
        assert_eq!(of("cli::succeeds::case_1_status"), Some(ScenarioId::CliStatus));
        assert_eq!(of("cli::succeeds::case_1_nosuch"), None);
        assert_eq!(of("api::succeeds"), None);
    }
}
