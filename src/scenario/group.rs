//! Groups of scenarios, which run sequentially with `--phase-peaks` so that each has its own
//! memory peaks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Scenario, ScenarioId, ScenarioKind};

/// Scenario group: the API or the CLI scenarios, without or with launches on an infra.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// API scenarios that launch nothing and use nothing launched.
    Api,
    /// CLI scenarios that launch nothing and use nothing launched.
    Cli,
    /// API scenarios that launch or use clusters, jobs or services.
    ApiInfra,
    /// CLI scenarios that launch or use clusters, jobs or services.
    CliInfra,
}

impl Group {
    /// Groups in the order in which they run.
    pub const ALL: [Self; 4] = [Self::Api, Self::Cli, Self::ApiInfra, Self::CliInfra];

    /// Name used in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Cli => "cli",
            Self::ApiInfra => "api-infra",
            Self::CliInfra => "cli-infra",
        }
    }
}

impl ScenarioId {
    /// Group of a scenario; `None` for one that accompanies the load of all groups.
    pub fn group(self) -> Option<Group> {
        let takes_infrastructure = Scenario::of(self).needs.takes_infrastructure();
        match (self.kind(), takes_infrastructure) {
            (ScenarioKind::Api, false) => Some(Group::Api),
            (ScenarioKind::Cli, false) => Some(Group::Cli),
            (ScenarioKind::Api, true) => Some(Group::ApiInfra),
            (ScenarioKind::Cli, true) => Some(Group::CliInfra),
            (ScenarioKind::Hold | ScenarioKind::Probe, _) => None,
        }
    }
}
